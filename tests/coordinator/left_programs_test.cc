// LeftPrograms: who is found by the mark in its environment, and who is ended for it.
#include "core/coordinator/left_programs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/link/worker_mark.h"
#include "core/scoreboard/process_start.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

class LeftProgramsTest : public testing::Test {
 protected:
  LeftProgramsTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/left-XXXXXX");
    base_ = std::filesystem::canonical(mkdtemp(pattern.data()));
    directory_ = base_ + "/web";
    mark_ = {Gone(), 0, getsid(0), directory_};
  }
  ~LeftProgramsTest() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(base_);
  }

  // The number of a process that has ended.
  static pid_t Gone() {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
    return child;
  }
  enum class Session { kOurs, kItsOwn };
  // A process with this mark; it is there when this returns.
  pid_t Start(const link::WorkerMark& mark, Session session = Session::kOurs) {
    int ends[2];
    UC_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const std::string variable = absl::StrCat(link::kWorkerMarkVariable, "=", link::ToText(mark));
    const pid_t child = fork();
    if (child == 0) {
      if (session == Session::kItsOwn) setsid();
      char* const argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
      char* const environment[] = {const_cast<char*>(variable.c_str()), nullptr};
      execve("/bin/sleep", argv, environment);
      _exit(1);
    }
    close(ends[1]);
    char byte;
    UC_CHECK(read(ends[0], &byte, 1) == 0);  // closed by exec
    close(ends[0]);
    children_.push_back(child);
    return child;
  }
  bool Lives(pid_t child) { return waitpid(child, nullptr, WNOHANG) == 0; }
  size_t Count() const { return CountLeftPrograms(directory_, users_); }
  LeftEnd End() { return EndLeftPrograms(directory_, users_, absl::Seconds(20)); }

  std::string base_;
  std::string directory_;
  link::WorkerMark mark_;
  std::vector<uid_t> users_ = {geteuid()};
  std::vector<pid_t> children_;
};

TEST_F(LeftProgramsTest, WhatAWorkerThatIsGoneHasStartedIsFoundAndEnded) {
  const pid_t one = Start(mark_);
  const pid_t other = Start(mark_);
  EXPECT_EQ(Count(), 1u) << "one process group";
  const LeftEnd end = End();
  EXPECT_EQ(end.groups, 1);
  EXPECT_TRUE(end.alive.empty());
  EXPECT_FALSE(Lives(one));
  EXPECT_FALSE(Lives(other));
  EXPECT_EQ(Count(), 0u);
}

TEST_F(LeftProgramsTest, BaseThatIsNamedThroughALinkIsTheSame) {
  Start(mark_);
  const std::string link = base_ + ".link";
  ASSERT_EQ(symlink(base_.c_str(), link.c_str()), 0);
  EXPECT_EQ(CountLeftPrograms(link + "/web", users_), 1u);
  unlink(link.c_str());
}

TEST_F(LeftProgramsTest, WhoseWorkerLivesIsItsWorkersToEnd) {
  mark_.pid = getpid();
  mark_.start = scoreboard::ProcessStart(getpid());
  const pid_t program = Start(mark_);
  EXPECT_EQ(End().groups, 0);
  EXPECT_TRUE(Lives(program));
  // Somebody else has the number by now.
  mark_.start -= 1;
  Start(mark_);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(LeftProgramsTest, WhoHasASessionOfItsOwnHasLeft) {
  const pid_t daemon = Start(mark_, Session::kItsOwn);
  EXPECT_EQ(End().groups, 0);
  EXPECT_TRUE(Lives(daemon));
}

TEST_F(LeftProgramsTest, AnotherClustersAreLeftAlone) {
  mark_.directory = base_ + "/api";
  const pid_t other = Start(mark_);
  EXPECT_EQ(End().groups, 0);
  EXPECT_TRUE(Lives(other));
}

TEST_F(LeftProgramsTest, MarkOfAUserThatTheClusterDoesNotRunAsIsNotBelieved) {
  const pid_t stranger = Start(mark_);
  users_ = {geteuid() + 1};
  EXPECT_EQ(End().groups, 0);
  EXPECT_TRUE(Lives(stranger));
}

TEST_F(LeftProgramsTest, WhoIsOlderThanItsWorkerLies) {
  mark_.start = ~uint64_t{0};
  const pid_t liar = Start(mark_);
  EXPECT_EQ(End().groups, 0);
  EXPECT_TRUE(Lives(liar));
}

}  // namespace
}  // namespace uc::coordinator
