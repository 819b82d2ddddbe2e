#include "tools/trusted_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

// A folder with things in it; `root_` is the way to it.
class TrustedFolderTest : public testing::Test {
 protected:
  TrustedFolderTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/trusted-XXXXXX");
    root_ = mkdtemp(pattern.data());
    path_ = root_ + "/folder";
    mkdir(path_.c_str(), 0700);
  }
  ~TrustedFolderTest() override { std::filesystem::remove_all(root_); }

  void ExpectRefused(const std::string& path, const std::string& because) {
    const absl::Status status = TrustedFolder::Open(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << path << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(because));
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(symlink(target.c_str(), name.c_str()), 0);
  }
  void Give(const std::string& path, uid_t uid) {
    if (lchown(path.c_str(), uid, uid) != 0) {
      GTEST_SKIP() << "only root gives files away, to users that its namespace knows";
    }
  }

  std::string root_;
  std::string path_;
};

TEST_F(TrustedFolderTest, WhatIsMissingIsMadeForUsAlone) {
  using Making = TrustedFolder::Making;
  EXPECT_TRUE(
      absl::IsPermissionDenied(TrustedFolder::Make(path_ + "/a/b", Making::kFolder).status()));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a"));
  for (const Making making :
       {Making::kFoldersAbove, Making::kFolder}) {  // the second time it is there
    EXPECT_TRUE(TrustedFolder::Make(path_ + "/a/b", making).ok());
  }
  for (const char* name : {"/a", "/a/b"}) {
    struct stat status;
    ASSERT_EQ(lstat((path_ + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700u);
  }
}

TEST_F(TrustedFolderTest, NothingIsMadeWhereSomebodyElsesLinkLeads) {
  const std::string link = root_ + "/link";
  Link(path_, link);
  Give(link, 65534);
  if (IsSkipped()) return;
  for (const std::string& below : {std::string("/a"), std::string("/a/b"), std::string("/.")}) {
    EXPECT_TRUE(absl::IsPermissionDenied(
        TrustedFolder::Make(link + below, TrustedFolder::Making::kFoldersAbove).status()));
  }
  Link("nowhere", root_ + "/dangling");  // ours, and yet no folder
  EXPECT_FALSE(TrustedFolder::Make(root_ + "/dangling", TrustedFolder::Making::kFoldersAbove).ok());
  EXPECT_FALSE(std::filesystem::exists(root_ + "/nowhere"));
  EXPECT_TRUE(std::filesystem::is_empty(path_));
}

TEST_F(TrustedFolderTest, OursIsTrustedHoweverItIsNamed) {
  mkdir((path_ + "/below").c_str(), 0700);
  for (const char* end : {"", "/", "//", "/.", "/below/.."}) {
    EXPECT_TRUE(TrustedFolder::Open(path_ + end).ok()) << end;
  }
  const std::string here = std::filesystem::current_path();
  ASSERT_EQ(chdir(root_.c_str()), 0);
  EXPECT_TRUE(TrustedFolder::Open("folder").ok());
  EXPECT_TRUE(TrustedFolder::Open("./folder/").ok());
  ASSERT_EQ(chdir(here.c_str()), 0);
}

TEST_F(TrustedFolderTest, MissingIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(TrustedFolder::Open(root_ + "/no").status()));
  EXPECT_TRUE(absl::IsNotFound(TrustedFolder::Open(root_ + "/no/folder").status()));
}

TEST_F(TrustedFolderTest, LinksOfOursOnTheWayAreFollowedTheLastOneIsNot) {
  Link(root_, root_ + "/way");
  Link("folder", root_ + "/last");
  EXPECT_TRUE(TrustedFolder::Open(root_ + "/way/folder").ok());
  EXPECT_TRUE(TrustedFolder::Open(root_ + "/way/way/way/folder").ok());
  ExpectRefused(root_ + "/last", "symbolic link");
  ExpectRefused(root_ + "/last/", "symbolic link");
}

TEST_F(TrustedFolderTest, LoopOfLinksIsRefused) {
  Link("b", root_ + "/a");
  Link("a", root_ + "/b");
  ExpectRefused(root_ + "/a/folder", "symbolic link");
}

TEST_F(TrustedFolderTest, WhatIsNoFolderIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo((root_ + "/fifo").c_str(), 0600), 0);
  std::ofstream(root_ + "/file") << "";
  ExpectRefused(root_ + "/fifo", "is no directory");
  ExpectRefused(root_ + "/file", "is no directory");
  ExpectRefused(root_ + "/file/folder", "is no directory");
}

TEST_F(TrustedFolderTest, WritableByOthersIsRefused) {
  for (const mode_t mode : {0770, 0702, 0777, 01777}) {
    chmod(path_.c_str(), mode);
    ExpectRefused(path_, "others may write");
  }
}

TEST_F(TrustedFolderTest, WayThatEverybodyMayChangeIsRefusedUnlessItIsSticky) {
  chmod(root_.c_str(), 0777);
  ExpectRefused(path_, "everybody");
  chmod(root_.c_str(), 01777);
  EXPECT_TRUE(TrustedFolder::Open(path_).ok());
}

TEST_F(TrustedFolderTest, OfAnotherUserIsRefused) {
  Give(path_, 64010);
  if (IsSkipped()) return;
  ExpectRefused(path_, "belongs to user 64010");
}

TEST_F(TrustedFolderTest, WayOfAnotherUserIsRefused) {
  Give(root_, 64010);
  if (IsSkipped()) return;
  ExpectRefused(path_, "user 64010");
}

TEST_F(TrustedFolderTest, LinkOfAnotherUserOnTheWayIsRefused) {
  Link(root_, root_ + "/way");
  Give(root_ + "/way", 64010);
  if (IsSkipped()) return;
  ExpectRefused(root_ + "/way/folder", "user 64010");
}

TEST_F(TrustedFolderTest, WhatTakesItsPlaceIsNotIt) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::Open(path_);
  ASSERT_TRUE(folder.ok());
  std::ofstream(path_ + "/old") << "";
  ASSERT_EQ(rename(path_.c_str(), (root_ + "/away").c_str()), 0);
  mkdir(path_.c_str(), 0700);
  std::ofstream(path_ + "/new") << "";
  EXPECT_THAT(folder->Names(), UnorderedElementsAre("old"));
  EXPECT_TRUE(folder->OpenFile("old", O_RDONLY).ok());
  EXPECT_FALSE(folder->OpenFile("new", O_RDONLY).ok());
  folder->RemoveFile("new");
  EXPECT_EQ(access((path_ + "/new").c_str(), F_OK), 0);
  EXPECT_EQ(access((folder->pinned_path() + "/old").c_str(), F_OK), 0);
}

TEST_F(TrustedFolderTest, OnlyRegularFilesOfOursAreFiles) {
  const TrustedFolder folder = TrustedFolder::Open(path_).value();
  std::ofstream(path_ + "/file") << "  text\n";
  Link("file", path_ + "/link");
  ASSERT_EQ(mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(folder.OpenFile("file", O_RDONLY).ok());
  EXPECT_EQ(folder.ReadLine("file"), "text");
  for (const char* name : {"link", "fifo", "."}) {
    EXPECT_TRUE(absl::IsInvalidArgument(folder.OpenFile(name, O_RDONLY).status())) << name;
    EXPECT_EQ(folder.ReadLine(name), "") << name;
  }
  EXPECT_TRUE(absl::IsNotFound(folder.OpenFile("missing", O_RDONLY).status()));
  chmod((path_ + "/file").c_str(), 0666);
  EXPECT_TRUE(absl::IsPermissionDenied(folder.OpenFile("file", O_RDONLY).status()));
}

TEST_F(TrustedFolderTest, HardLinkOfAnothersFileIsNotOurs) {
  std::ofstream(root_ + "/his") << "";
  Give(root_ + "/his", 64010);
  if (IsSkipped()) return;
  ASSERT_EQ(link((root_ + "/his").c_str(), (path_ + "/record").c_str()), 0);
  const TrustedFolder folder = TrustedFolder::Open(path_).value();
  EXPECT_TRUE(absl::IsPermissionDenied(folder.OpenFile("record", O_RDONLY).status()));
}

TEST_F(TrustedFolderTest, OnlyFifosAreFifos) {
  const TrustedFolder folder = TrustedFolder::Open(path_).value();
  std::ofstream(path_ + "/file") << "";
  ASSERT_EQ(mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  Link("fifo", path_ + "/link");
  EXPECT_TRUE(folder.OpenFifo("fifo", O_RDONLY).valid());
  EXPECT_FALSE(folder.OpenFifo("file", O_WRONLY).valid());
  EXPECT_FALSE(folder.OpenFifo("link", O_RDONLY).valid());
}

TEST_F(TrustedFolderTest, FoldersBelowAreCheckedInTheSameWay) {
  const TrustedFolder folder = TrustedFolder::Open(path_).value();
  mkdir((path_ + "/web").c_str(), 0700);
  Link("web", path_ + "/link");
  EXPECT_TRUE(folder.OpenBelow("web").ok());
  EXPECT_TRUE(TrustedFolder::OpenCluster(path_ + "/web").ok());
  EXPECT_TRUE(TrustedFolder::OpenCluster(path_ + "/web/").ok());
  EXPECT_TRUE(absl::IsPermissionDenied(folder.OpenBelow("link").status()));
  EXPECT_TRUE(absl::IsNotFound(folder.OpenBelow("missing").status()));
  chmod((path_ + "/web").c_str(), 0770);
  EXPECT_TRUE(absl::IsPermissionDenied(folder.OpenBelow("web").status()));
}

TEST(SplitPathTest, LastNameAndWhatIsBeforeIt) {
  using Parts = std::pair<std::string, std::string>;
  EXPECT_EQ(SplitPath("/a/b"), Parts("/a", "b"));
  EXPECT_EQ(SplitPath("/a/b//"), Parts("/a", "b"));
  EXPECT_EQ(SplitPath("/a"), Parts("/", "a"));
  EXPECT_EQ(SplitPath("a"), Parts(".", "a"));
  EXPECT_EQ(SplitPath("./a/"), Parts(".", "a"));
}

}  // namespace
}  // namespace uc::tools
