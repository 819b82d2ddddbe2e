#include "core/base/log_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

using testing::HasSubstr;

class LogFolderTest : public testing::Test {
 protected:
  LogFolderTest() {
    const char* const base = getenv("TEST_TMPDIR");
    root_ = std::string(base != nullptr ? base : "/tmp") + "/log_folder.XXXXXX";
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    root_ = std::filesystem::canonical(root_);
  }
  ~LogFolderTest() override { std::filesystem::remove_all(root_); }

  std::string At(const std::string& name) const { return root_ + "/" + name; }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(At(name)) << text;
  }
  std::string Text(const std::string& name) const {
    std::ifstream file(At(name));
    std::ostringstream text;
    text << file.rdbuf();
    return file ? text.str() : "-";
  }
  // A line into the file at `name`; what is said if it may not be written.
  std::string Write(const std::string& name, LogFolder::Missing missing = kNotMade) const {
    const absl::StatusOr<LogFolder> folder = LogFolder::Open(At(name), missing);
    if (!folder.ok()) return std::string(folder.status().message());
    const absl::StatusOr<Fd> file = folder->OpenFile();
    if (!file.ok()) return std::string(file.status().message());
    EXPECT_EQ(write(file->get(), "line\n", 5), 5);
    return "";
  }
  std::string Empty(const std::string& name) const {
    const absl::StatusOr<LogFolder> folder = LogFolder::Open(At(name), kNotMade);
    return std::string(folder.ok() ? folder->Empty().message() : folder.status().message());
  }

  static constexpr LogFolder::Missing kNotMade = LogFolder::Missing::kIsAnError;
  std::string root_;
};

TEST_F(LogFolderTest, FileIsMadeForUsAndAppendedTo) {
  EXPECT_EQ(Write("log"), "");
  EXPECT_EQ(Write("log"), "");
  EXPECT_EQ(Text("log"), "line\nline\n");
  struct stat status;
  ASSERT_EQ(stat(At("log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(LogFolderTest, MissingFoldersAreMadeWhereThatIsAskedFor) {
  EXPECT_THAT(Write("a/b/log"), HasSubstr("No such file"));
  EXPECT_EQ(Write("a/b/log", LogFolder::Missing::kIsMade), "");
  EXPECT_EQ(Text("a/b/log"), "line\n");
}

TEST_F(LogFolderTest, FoldersBehindLinksOfOursAreFound) {
  std::filesystem::create_directory(At("real"));
  std::filesystem::create_directory_symlink("real", At("relative"));
  std::filesystem::create_directory_symlink(At("relative"), At("absolute"));
  EXPECT_EQ(Write("absolute/log"), "");
  EXPECT_EQ(Write("real/../relative/./log"), "");
  EXPECT_EQ(Text("real/log"), "line\nline\n");
}

TEST_F(LogFolderTest, DevicesAndFifosOfTheOperatorAreTaken) {
  ASSERT_EQ(mkfifo(At("fifo").c_str(), 0600), 0);
  const Fd reader(open(At("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_EQ(Write("fifo"), "");
  const absl::StatusOr<LogFolder> devices = LogFolder::Open("/dev/null", kNotMade);
  ASSERT_TRUE(devices.ok()) << devices.status();
  EXPECT_TRUE(devices->OpenFile().ok());
}

TEST_F(LogFolderTest, RotationMovesNamesUp) {
  const absl::StatusOr<LogFolder> folder = LogFolder::Open(At("log"), kNotMade);
  ASSERT_TRUE(folder.ok());
  EXPECT_FALSE(folder->Rotate(2)) << "there is nothing to rotate";
  for (const char* text : {"a", "b", "c"}) {
    Put("log", text);
    EXPECT_TRUE(folder->Rotate(2));
  }
  EXPECT_EQ(Text("log.1"), "c");
  EXPECT_EQ(Text("log.2"), "b");
  EXPECT_EQ(Text("log.3"), "-");
  Put("log", "d");
  EXPECT_FALSE(folder->Rotate(0));
  EXPECT_EQ(folder->Empty(), absl::OkStatus());
  EXPECT_EQ(Text("log"), "");
  EXPECT_EQ(Text("log.1"), "-");
}

TEST_F(LogFolderTest, FolderIsHeldWhateverItsNameBecomes) {
  std::filesystem::create_directory(At("logs"));
  std::filesystem::create_directory(At("secrets"));
  Put("secrets/log", "secret\n");
  const absl::StatusOr<LogFolder> folder = LogFolder::Open(At("logs/log"), kNotMade);
  ASSERT_TRUE(folder.ok());
  std::filesystem::rename(At("logs"), At("moved"));
  std::filesystem::create_directory_symlink("secrets", At("logs"));
  ASSERT_TRUE(folder->OpenFile().ok());
  EXPECT_TRUE(folder->Rotate(1));
  EXPECT_EQ(Text("secrets/log"), "secret\n");
  EXPECT_TRUE(std::filesystem::exists(At("moved/log.1")));
}

// --- Refused ---

TEST_F(LogFolderTest, LinkInTheLastPartIsNeitherWrittenNorEmptied) {
  Put("target", "kept\n");
  std::filesystem::create_symlink("target", At("log"));
  EXPECT_THAT(Write("log"), HasSubstr("symbolic link"));
  EXPECT_THAT(Empty("log"), HasSubstr("symbolic link"));
  std::filesystem::create_symlink("nowhere", At("dangling"));
  EXPECT_THAT(Write("dangling"), HasSubstr("symbolic link"));
  EXPECT_EQ(Text("nowhere"), "-");
  EXPECT_EQ(Text("target"), "kept\n");
}

TEST_F(LogFolderTest, FileWithTwoNamesIsNeitherWrittenNorEmptied) {
  Put("target", "kept\n");
  std::filesystem::create_hard_link(At("target"), At("log"));
  EXPECT_THAT(Write("log"), HasSubstr("2 names"));
  EXPECT_THAT(Empty("log"), HasSubstr("2 names"));
  EXPECT_EQ(Text("target"), "kept\n");
}

TEST_F(LogFolderTest, FolderWhereEveryoneReplacesFilesIsRefusedWithTheCure) {
  std::filesystem::create_directory(At("open"));
  ASSERT_EQ(chmod(At("open").c_str(), 0777), 0);
  EXPECT_THAT(Write("open/log"), HasSubstr("chmod o-w"));
  ASSERT_EQ(chmod(At("open").c_str(), 01777), 0);
  EXPECT_EQ(Write("open/log"), "") << "a sticky one keeps others from our file";
}

TEST_F(LogFolderTest, WhatIsNoFileIsNamed) {
  std::filesystem::create_directory(At("log"));
  EXPECT_THAT(Write("log"), HasSubstr("Is a directory"));
  Put("file", "");
  EXPECT_THAT(Write("file/log"), HasSubstr("Not a directory"));
  EXPECT_THAT(Write(""), HasSubstr("no name of a file"));
  EXPECT_THAT(Write(".."), HasSubstr("no name of a file"));
  EXPECT_FALSE(LogFolder::Open("relative/log", kNotMade).ok());
}

TEST_F(LogFolderTest, CircleOfLinksEnds) {
  std::filesystem::create_symlink("b", At("a"));
  std::filesystem::create_symlink("a", At("b"));
  EXPECT_THAT(Write("a/log"), HasSubstr("Too many levels"));
}

// Root in the folder of another user; where a sandbox has one user only, tests/hostile has the same.
class ForeignLogFolderTest : public LogFolderTest {
 protected:
  static constexpr uid_t kOther = 65534;
  void SetUp() override {
    std::filesystem::create_directory(At("theirs"));
    if (chown(At("theirs").c_str(), kOther, kOther) != 0) {
      GTEST_SKIP() << "only root can be two users";
    }
    const FileRights other = FileRights::Of(kOther);
    const FileRights::Scope scope(other);
    if (!scope.ok()) GTEST_SKIP() << "the rights of another user cannot be taken here";
  }
  uid_t Owner(const std::string& name) const {
    struct stat status;
    return stat(At(name).c_str(), &status) == 0 ? status.st_uid : 0;
  }
};

TEST_F(ForeignLogFolderTest, FilesAreMadeWithTheRightsOfItsOwner) {
  EXPECT_EQ(Write("theirs/log"), "");
  EXPECT_EQ(Owner("theirs/log"), kOther);
  EXPECT_EQ(Write("theirs/a/log", LogFolder::Missing::kIsMade), "");
  EXPECT_EQ(Owner("theirs/a"), kOther);
  EXPECT_EQ(Write("log"), "");
  EXPECT_EQ(Owner("log"), geteuid()) << "ours again";
}

TEST_F(ForeignLogFolderTest, LinkToAFolderLeadsWhereItsOwnerCouldGo) {
  std::filesystem::create_directory(At("ours"));
  std::filesystem::create_symlink(At("ours"), At("theirs/link"));
  EXPECT_THAT(Write("theirs/link/log"), HasSubstr("Permission denied"));
  EXPECT_EQ(Text("ours/log"), "-");
}

TEST_F(ForeignLogFolderTest, FileOfOursIsNotWrittenThere) {
  Put("theirs/log", "ours\n");
  ASSERT_EQ(chmod(At("theirs/log").c_str(), 0600), 0);
  EXPECT_THAT(Write("theirs/log"), HasSubstr("Permission denied"));
  EXPECT_THAT(Empty("theirs/log"), HasSubstr("Permission denied"));
  EXPECT_EQ(Text("theirs/log"), "ours\n");
}

TEST_F(ForeignLogFolderTest, FifoThereIsNoLog) {
  ASSERT_EQ(mkfifo(At("theirs/log").c_str(), 0666), 0);
  ASSERT_EQ(chown(At("theirs/log").c_str(), kOther, kOther), 0);
  const Fd reader(open(At("theirs/log").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_THAT(Write("theirs/log"), HasSubstr("no regular file"));
}

}  // namespace
}  // namespace uc
