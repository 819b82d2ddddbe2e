#include "core/coordinator/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
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
  ~RunDirectoryTest() override { std::filesystem::remove_all(base_); }
  // As a coordinator begins.
  absl::StatusOr<RunDirectory> Begin() {
    absl::StatusOr<RunDirectory> taken = RunDirectory::Take(path_);
    if (!taken.ok()) return taken;
    if (absl::Status status = taken->Furnish(); !status.ok()) return status;
    return taken;
  }
  void Write(const std::string& name) { std::ofstream(path_ + name) << "mine"; }
  // Somebody else holds the lock of this name.
  Fd TakeLock() {
    Fd lock(open((path_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
    return lock;
  }
  bool Exists(const std::string& name) const { return access((path_ + name).c_str(), F_OK) == 0; }

  std::string base_;
  std::string path_;
};

TEST_F(RunDirectoryTest, SecondClusterOfTheSameNameIsRefusedByPid) {
  auto first = Begin();
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = RunDirectory::Take(path_);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat("pid ", getpid())));
  first->Remove();
}

TEST_F(RunDirectoryTest, WhatALinkLeadsToIsNotOurs) {
  const std::string home = base_ + "/home";
  mkdir(home.c_str(), 0700);
  std::ofstream(home + "/thesis") << "years of work";
  for (const char* name : {"/replies", "/doors", "/lock"}) {
    std::filesystem::remove_all(path_ + name);  // made before the refusal of the one before
    ASSERT_EQ(symlink(home.c_str(), (path_ + name).c_str()), 0);
    const absl::Status status = Begin().status();
    EXPECT_FALSE(status.ok()) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + name + ": is "));
    EXPECT_THAT(std::string(status.message()), HasSubstr("remove it"));
    unlink((path_ + name).c_str());
  }
  EXPECT_EQ(access((home + "/thesis").c_str(), F_OK), 0);
}

TEST_F(RunDirectoryTest, DirectoryWhereAFileBelongsIsNamed) {
  for (const char* name : {"/lock", "/pid", "/control"}) {
    mkdir((path_ + name).c_str(), 0700);
    const absl::Status status = Begin().status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + name + ": is a directory"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("move it away"));
    rmdir((path_ + name).c_str());
  }
}

TEST_F(RunDirectoryTest, FifoInThePlaceOfThePidKeepsNobody) {
  const Fd lock = TakeLock();
  ASSERT_EQ(mkfifo((path_ + "/pid").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsAlreadyExists(RunDirectory::Take(path_).status()));
}

TEST_F(RunDirectoryTest, LockOfAnotherUserIsNotBelieved) {
  const Fd theirs = TakeLock();
  if (chown((path_ + "/lock").c_str(), 65534, 65534) != 0) {
    GTEST_SKIP() << "no file can be given away here: not root, or alone in its user namespace";
  }
  const absl::Status status = RunDirectory::Take(path_).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to user 65534"));
}

TEST_F(RunDirectoryTest, NothingIsLeftAfterRemove) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  EXPECT_TRUE(Exists("/control"));
  taken->Remove();
  EXPECT_FALSE(Exists(""));
}

TEST_F(RunDirectoryTest, RepliesThatNobodyReadsGoAfterAMinute) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  for (const char* name : {"/replies/killed", "/replies/waits"}) {
    ASSERT_EQ(mkfifo((path_ + name).c_str(), 0600), 0);
  }
  Write("/replies/file");
  ASSERT_EQ(symlink((path_ + "/replies/killed").c_str(), (path_ + "/replies/link").c_str()), 0);
  const Fd asker(open((path_ + "/replies/waits").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_EQ(taken->RemoveStaleReplies(absl::Now()), RunDirectory::Left::kNone);
  EXPECT_TRUE(Exists("/replies/killed")) << "its asker may just be opening it";
  EXPECT_EQ(taken->RemoveStaleReplies(absl::Now() + absl::Seconds(61)), RunDirectory::Left::kNone);
  EXPECT_FALSE(Exists("/replies/killed"));
  EXPECT_TRUE(Exists("/replies/waits"));
  EXPECT_TRUE(Exists("/replies/file"));
  taken->Remove();
}

TEST_F(RunDirectoryTest, OfManyStaleRepliesSomeGoAtATime) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  for (int i = 0; i < 600; ++i) {
    ASSERT_EQ(mkfifo(absl::StrCat(path_, "/replies/", i).c_str(), 0600), 0);
  }
  int sweeps = 1;
  while (taken->RemoveStaleReplies(absl::Now() + absl::Minutes(2)) == RunDirectory::Left::kSome) {
    ++sweeps;
  }
  EXPECT_GE(sweeps, 3);
  EXPECT_LE(sweeps, 4);
  EXPECT_EQ(std::filesystem::directory_iterator(path_ + "/replies"),
            std::filesystem::directory_iterator());
  taken->Remove();
}

TEST_F(RunDirectoryTest, LeftoversOfADeadCoordinatorAreReplaced) {
  ASSERT_EQ(mkfifo((path_ + "/control").c_str(), 0600), 0);
  ASSERT_EQ(mkdir((path_ + "/replies").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((path_ + "/replies/old").c_str(), 0600), 0);
  auto taken = Begin();
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_FALSE(Exists("/replies/old"));
  taken->Remove();
}

TEST_F(RunDirectoryTest, AfterALogStaysTheDirectoryStays) {
  auto taken = Begin();
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

// --- A start that comes to nothing ---

TEST_F(RunDirectoryTest, LockAloneTouchesNothing) {
  Write("/pid");
  Write("/control");
  Write("/scoreboard");
  auto taken = RunDirectory::Take(path_);
  ASSERT_TRUE(taken.ok());
  taken->Withdraw();
  for (const char* name : {"/pid", "/control", "/scoreboard"}) {
    EXPECT_EQ(std::filesystem::file_size(path_ + name), 4u) << name;
  }
  EXPECT_FALSE(Exists("/lock"));
}

TEST_F(RunDirectoryTest, WithdrawTakesOnlyWhatWasMade) {
  ASSERT_EQ(mkdir((path_ + "/doors").c_str(), 0700), 0);
  Write("/doors/7");
  Write("/scoreboard");
  Write("/lock");
  auto taken = Begin();
  ASSERT_TRUE(taken.ok()) << taken.status();
  taken->Withdraw();
  for (const char* name : {"/doors/7", "/scoreboard", "/lock"}) EXPECT_TRUE(Exists(name)) << name;
  for (const char* name : {"/control", "/pid", "/replies"}) EXPECT_FALSE(Exists(name)) << name;
}

TEST_F(RunDirectoryTest, WithdrawLeavesNothingWhereNothingWas) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  taken->Withdraw();
  EXPECT_FALSE(Exists(""));
}

// --- Somebody cleans it away ---

TEST_F(RunDirectoryTest, WhatIsThereIsLeftAlone) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->Tend(), RunDirectory::Look::kWhole);
}

TEST_F(RunDirectoryTest, EachPartIsMadeAgain) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  const int control = taken->control().get();
  for (const char* name : {"/lock", "/control", "/replies", "/doors", "/pid", "", "/.."}) {
    SCOPED_TRACE(name);
    std::filesystem::remove_all(std::filesystem::weakly_canonical(path_ + name));
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kMadeAgain) << taken->trouble();
    for (const char* there : {"/lock", "/control", "/replies", "/doors", "/pid"}) {
      EXPECT_TRUE(Exists(there)) << there;
    }
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kWhole);
    EXPECT_TRUE(absl::IsAlreadyExists(RunDirectory::Take(path_).status()));
    EXPECT_EQ(taken->control().get(), control);
    EXPECT_TRUE(taken->Has("control", taken->control()));
  }
  taken->Remove();
  EXPECT_FALSE(Exists(""));
}

TEST_F(RunDirectoryTest, PartInWhosePlaceSomethingElseLiesIsMadeAgain) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  const std::string ours = absl::StrCat(getpid(), "\n");
  const auto pid_is_ours = [&] {
    std::ifstream file(path_ + "/pid");
    return std::string(std::istreambuf_iterator<char>(file), {}) == ours;
  };
  for (const char* name : {"/pid", "/control"}) {
    SCOPED_TRACE(name);
    const std::string path = path_ + name;
    unlink(path.c_str());
    Write(name);  // another text
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kMadeAgain) << taken->trouble();
    unlink(path.c_str());
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);  // that has no reader
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kMadeAgain) << taken->trouble();
    unlink(path.c_str());
    ASSERT_EQ(symlink((base_ + "/elsewhere").c_str(), path.c_str()), 0);
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kMadeAgain) << taken->trouble();
    EXPECT_TRUE(pid_is_ours());
    EXPECT_TRUE(taken->Has("control", taken->control()));
    EXPECT_FALSE(std::filesystem::exists(base_ + "/elsewhere"));
    EXPECT_EQ(taken->Tend(), RunDirectory::Look::kWhole);
  }
}

TEST_F(RunDirectoryTest, DirectoryThatAnotherCoordinatorHasTakenIsLeftToIt) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  std::filesystem::remove_all(path_);
  mkdir(path_.c_str(), 0700);
  const Fd lock = TakeLock();
  Write("/pid");
  EXPECT_EQ(taken->Tend(), RunDirectory::Look::kLost);
  EXPECT_FALSE(Exists("/control"));
  EXPECT_EQ(std::filesystem::file_size(path_ + "/pid"), 4u);
  taken->Remove();
  EXPECT_TRUE(Exists("/pid"));
}

TEST_F(RunDirectoryTest, LinkInItsPlaceIsNotFollowed) {
  auto taken = Begin();
  ASSERT_TRUE(taken.ok());
  std::filesystem::remove_all(path_);
  mkdir((base_ + "/elsewhere").c_str(), 0700);
  ASSERT_EQ(symlink((base_ + "/elsewhere").c_str(), path_.c_str()), 0);
  EXPECT_EQ(taken->Tend(), RunDirectory::Look::kLost);
  EXPECT_TRUE(std::filesystem::is_empty(base_ + "/elsewhere"));
}

}  // namespace
}  // namespace uc::coordinator
