#include "core/coordinator/run_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

using testing::HasSubstr;

class RunDirectoryTest : public testing::Test {
 protected:
  RunDirectoryTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/run-XXXXXX");
    base_ = mkdtemp(pattern.data());
    path_ = base_ + "/web";
    mkdir(path_.c_str(), 0700);
  }
  ~RunDirectoryTest() override {
    rmdir(path_.c_str());
    rmdir(base_.c_str());
  }
  bool Exists(const std::string& name) const { return access((path_ + name).c_str(), F_OK) == 0; }

  std::string base_;
  std::string path_;
};

TEST_F(RunDirectoryTest, SecondClusterOfTheSameNameIsRefusedByPid) {
  auto first = RunDirectory::Take(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = RunDirectory::Take(path_);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat("pid ", getpid())));
  first->Remove();
}

TEST_F(RunDirectoryTest, NothingIsLeftAfterRemove) {
  auto taken = RunDirectory::Take(path_);
  ASSERT_TRUE(taken.ok());
  EXPECT_TRUE(Exists("/control"));
  taken->Remove();
  EXPECT_FALSE(Exists(""));
}

TEST_F(RunDirectoryTest, LeftoversOfADeadCoordinatorAreReplaced) {
  ASSERT_EQ(mkfifo((path_ + "/control").c_str(), 0600), 0);
  ASSERT_EQ(mkdir((path_ + "/replies").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((path_ + "/replies/old").c_str(), 0600), 0);
  auto taken = RunDirectory::Take(path_);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_FALSE(Exists("/replies/old"));
  taken->Remove();
}

TEST_F(RunDirectoryTest, AfterALogStaysTheDirectoryStays) {
  auto taken = RunDirectory::Take(path_);
  ASSERT_TRUE(taken.ok());
  close(open((path_ + "/log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  taken->Remove();
  EXPECT_TRUE(Exists("/log"));
  EXPECT_FALSE(Exists("/lock"));
  unlink((path_ + "/log").c_str());
}

TEST_F(RunDirectoryTest, MissingDirectoryNamesItself) {
  const auto taken = RunDirectory::Take(base_ + "/absent");
  ASSERT_FALSE(taken.ok());
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr(base_ + "/absent/lock"));
}

}  // namespace
}  // namespace uc::coordinator
