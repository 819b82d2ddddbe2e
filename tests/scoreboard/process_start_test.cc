#include "core/scoreboard/process_start.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

TEST(ProcessStartTest, IsTheSameAtEachLook) {
  const uint64_t start = ProcessStart(getpid());
  EXPECT_GT(start, 0u);
  EXPECT_EQ(ProcessStart(getpid()), start);
}

TEST(ProcessStartTest, GroupAndStateAreTheProcesss) {
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(0);
  }
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const std::optional<ProcessStat> stat = ReadProcessStat(child);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->state, 'Z');
  EXPECT_EQ(stat->group, child);
  EXPECT_GE(stat->start, ProcessStart(getpid()));
  waitpid(child, nullptr, 0);
  EXPECT_EQ(ProcessStart(child), 0u);
}

TEST(ProcessStartTest, SenselessNumbersHaveNone) {
  EXPECT_EQ(ProcessStart(0), 0u);
  EXPECT_EQ(ProcessStart(-1), 0u);
  EXPECT_EQ(ProcessStart(0x7fffffff), 0u);
}

}  // namespace
}  // namespace uc::scoreboard
