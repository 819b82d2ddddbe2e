#include "core/base/own_file.h"

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

namespace uc {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class OwnFileTest : public testing::Test {
 protected:
  OwnFileTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/own-XXXXXX");
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/file";
  }
  ~OwnFileTest() override { std::filesystem::remove_all(folder_); }

  void Write() { std::ofstream(path_) << "ours"; }
  absl::Status Open(int flags = O_RDONLY) {
    return OpenOwnFile(AT_FDCWD, path_, flags, path_).status();
  }
  static void Expect(const absl::Status& status, absl::StatusCode code, absl::string_view path,
                     absl::string_view why) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr(why)));
  }

  std::string folder_;
  std::string path_;
};

TEST_F(OwnFileTest, OursIsOpened) {
  Write();
  EXPECT_TRUE(Open().ok());
  EXPECT_TRUE(Open(O_RDWR).ok());
}

TEST_F(OwnFileTest, WhatIsMadeIsOursAlone) {
  Expect(Open(), absl::StatusCode::kNotFound, path_, "is missing");
  EXPECT_TRUE(Open(O_RDWR | O_CREAT).ok());
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077, 0u);
}

TEST_F(OwnFileTest, WhatOthersMayWriteIsRefusedWithTheCure) {
  Write();
  for (const mode_t mode : {0620, 0602, 0666}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    Expect(Open(), absl::StatusCode::kPermissionDenied, path_, "chmod go-w it");
  }
}

TEST_F(OwnFileTest, AnotherUsersIsRefusedWithTheCure) {
  Write();
  if (chown(path_.c_str(), 65534, 65534) != 0) {
    GTEST_SKIP() << "no file can be given away here: not root, or alone in its user namespace";
  }
  Expect(Open(), absl::StatusCode::kPermissionDenied, path_, "belongs to user 65534; remove it");
}

TEST_F(OwnFileTest, LinksAreNotFollowed) {
  std::ofstream(folder_ + "/other") << "theirs";
  ASSERT_EQ(symlink("other", path_.c_str()), 0);
  Expect(Open(), absl::StatusCode::kInvalidArgument, path_, "is a symbolic link; remove it");
  ASSERT_EQ(unlink((folder_ + "/other").c_str()), 0);
  Expect(Open(O_RDWR | O_CREAT), absl::StatusCode::kInvalidArgument, path_, "is a symbolic link");
  EXPECT_NE(access((folder_ + "/other").c_str(), F_OK), 0);
}

TEST_F(OwnFileTest, WhatIsNoRegularFileIsRefusedAndKeepsNobody) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  Expect(Open(), absl::StatusCode::kInvalidArgument, path_, "is no regular file");
  unlink(path_.c_str());
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  for (const int flags : {O_RDONLY, O_RDWR}) {
    Expect(Open(flags), absl::StatusCode::kInvalidArgument, path_, "is a directory");
  }
}

TEST_F(OwnFileTest, FoldersAreHeldToTheSame) {
  EXPECT_TRUE(OpenOwnFolder(folder_).ok());
  Expect(OpenOwnFolder(path_).status(), absl::StatusCode::kNotFound, path_, "is missing");
  ASSERT_EQ(symlink(folder_.c_str(), path_.c_str()), 0);
  Expect(OpenOwnFolder(path_).status(), absl::StatusCode::kInvalidArgument, path_, "symbolic link");
  unlink(path_.c_str());
  Write();
  Expect(OpenOwnFolder(path_).status(), absl::StatusCode::kInvalidArgument, path_, "no directory");
  ASSERT_EQ(chmod(folder_.c_str(), 0722), 0);
  Expect(OpenOwnFolder(folder_).status(), absl::StatusCode::kPermissionDenied, folder_, "go-w");
}

}  // namespace
}  // namespace uc
