#include "tools/cluster_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClusterDirectoryTest : public testing::Test {
 protected:
  ClusterDirectoryTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/clusters-XXXXXX");
    root_ = mkdtemp(pattern.data());
    base_ = root_ + "/base";
  }
  ~ClusterDirectoryTest() override { std::filesystem::remove_all(root_); }

  void Make(const std::string& name) {
    ASSERT_TRUE(PrepareClusterDirectory(base_, name).ok());
    std::ofstream(base_ + "/" + name + "/scoreboard") << "anything";
  }
  void ExpectRefused(const std::string& because) {
    const absl::Status status = PrepareClusterDirectory(base_, "web").status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(because));
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }

  std::string root_;
  std::string base_;
};

TEST_F(ClusterDirectoryTest, PlainNamesAreTaken) {
  for (const std::string& name : {std::string("a"), std::string("Web_1.2-x"), std::string("0"),
                                  std::string("_"), std::string(63, 'n')}) {
    EXPECT_TRUE(CheckClusterName(name).ok()) << name;
  }
}

TEST_F(ClusterDirectoryTest, BadNamesAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string(".web"),
        std::string("-web"), std::string("a/b"), std::string("a b"), std::string("a\n"),
        std::string("\xc3\xbc"), std::string("a\0", 2), std::string(64, 'n')}) {
    EXPECT_EQ(CheckClusterName(name).code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_FALSE(PrepareClusterDirectory(base_, name).ok());
  }
}

TEST_F(ClusterDirectoryTest, DirectoryIsMadePrivate) {
  const auto directory = PrepareClusterDirectory(base_, "web");
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(*directory, base_ + "/web");
  struct stat status;
  ASSERT_EQ(stat(directory->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(ClusterDirectoryTest, ExistingDirectoryIsTakenAgain) {
  EXPECT_TRUE(PrepareClusterDirectory(base_, "web").ok());
  EXPECT_TRUE(PrepareClusterDirectory(base_, "web").ok());
}

TEST_F(ClusterDirectoryTest, BaseBelowNothingIsRefused) {
  base_ = root_ + "/missing/base";
  ExpectRefused("cannot be made");
}

TEST_F(ClusterDirectoryTest, SymlinkIsRefusedAsBaseAndAsCluster) {
  mkdir((root_ + "/elsewhere").c_str(), 0700);
  ASSERT_EQ(symlink((root_ + "/elsewhere").c_str(), base_.c_str()), 0);
  ExpectRefused("is no directory");
  unlink(base_.c_str());
  mkdir(base_.c_str(), 0700);
  ASSERT_EQ(symlink((root_ + "/elsewhere").c_str(), (base_ + "/web").c_str()), 0);
  ExpectRefused("is no directory");
}

TEST_F(ClusterDirectoryTest, FileIsRefused) {
  std::ofstream(base_) << "file";
  ExpectRefused("is no directory");
}

TEST_F(ClusterDirectoryTest, WhereOthersMayWriteIsRefused) {
  ASSERT_TRUE(PrepareClusterDirectory(base_, "web").ok());
  for (const std::string& path : {base_, base_ + "/web"}) {
    for (const mode_t mode : {0770, 0702, 01777}) {
      chmod(path.c_str(), mode);
      ExpectRefused(path + ": others may write there");
    }
    chmod(path.c_str(), 0755);
  }
  EXPECT_TRUE(PrepareClusterDirectory(base_, "web").ok());
}

TEST_F(ClusterDirectoryTest, OnlyWhatHasAScoreboardIsListedSorted) {
  EXPECT_THAT(ListClusters(base_), IsEmpty());
  Make("web");
  Make("api");
  ASSERT_TRUE(PrepareClusterDirectory(base_, "empty").ok());
  std::ofstream(base_ + "/file") << "file";
  EXPECT_THAT(ListClusters(base_), ElementsAre("api", "web"));
}

TEST_F(ClusterDirectoryTest, OnlyClusterNeedsNoName) {
  Make("web");
  EXPECT_EQ(*ResolveCluster(base_, ""), "web");
  EXPECT_EQ(*ResolveCluster(base_, "web"), "web");
}

TEST_F(ClusterDirectoryTest, NoneIsNotFound) {
  for (const char* name : {"", "web"}) {
    const absl::Status status = ResolveCluster(base_, name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr(base_));
  }
}

TEST_F(ClusterDirectoryTest, OneOfManyMustBeNamed) {
  Make("web");
  Make("api");
  EXPECT_EQ(*ResolveCluster(base_, "api"), "api");
  const absl::Status status = ResolveCluster(base_, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("api, web"));
}

TEST_F(ClusterDirectoryTest, UnknownNameIsToldWhichThereAre) {
  Make("web");
  const absl::Status status = ResolveCluster(base_, "../web").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("there is web"));
}

TEST_F(ClusterDirectoryTest, StoppedOneIsSaidToBeStopped) {
  Make("web");
  ASSERT_TRUE(PrepareClusterDirectory(base_, "api").ok());
  std::ofstream(base_ + "/api/record") << "{}";
  const absl::Status status = ResolveCluster(base_, "api").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "cluster api is stopped; 'uring-cluster start api' starts it again");
}

TEST_F(ClusterDirectoryTest, FolderThatIsNotTrustedIsNamedInsteadOfAMissingCluster) {
  Make("web");
  ASSERT_TRUE(PrepareClusterDirectory(base_, "api").ok());
  std::ofstream(base_ + "/file") << "no folder";
  EXPECT_THAT(ListRefused(base_), IsEmpty());
  for (const char* name : {"web", "api"}) chmod((base_ + "/" + name).c_str(), 0770);
  EXPECT_THAT(ListRefused(base_), ElementsAre("api", "web"));
  const absl::Status status = ResolveCluster(base_, "api").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr(base_ + "/api: others may write there"));
}

TEST_F(ClusterDirectoryTest, EnvironmentNamesTheBase) {
  setenv("URING_CLUSTER_RUN_DIR", "/somewhere", 1);
  EXPECT_EQ(DefaultBaseDirectory(), "/somewhere");
  setenv("URING_CLUSTER_RUN_DIR", "", 1);
  EXPECT_THAT(DefaultBaseDirectory(), HasSubstr("uring-cluster"));
  unsetenv("URING_CLUSTER_RUN_DIR");
}

TEST_F(ClusterDirectoryTest, CoordinatorLivesWhileSomebodyHoldsItsLock) {
  int up[2], down[2];
  ASSERT_EQ(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
  const pid_t child = fork();
  char byte = 0;
  if (child == 0) {
    const int lock = open((root_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    close(down[1]);
    const bool held = flock(lock, LOCK_EX | LOCK_NB) == 0 && write(up[1], "x", 1) == 1;
    _exit(held && read(down[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(up[1]);
  ASSERT_EQ(read(up[0], &byte, 1), 1);
  EXPECT_TRUE(CoordinatorLives(root_));
  EXPECT_TRUE(CoordinatorLives(root_)) << "asking must not take the lock away";
  close(down[1]);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(CoordinatorLives(root_));
  close(up[0]);
  close(down[0]);
}

TEST_F(ClusterDirectoryTest, NoLockFileIsNoCoordinator) { EXPECT_FALSE(CoordinatorLives(root_)); }

}  // namespace
}  // namespace uc::tools
