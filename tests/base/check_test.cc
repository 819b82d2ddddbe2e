#include "core/base/check.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "core/base/clock.h"
#include "core/base/descriptor_limit.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

TEST(CheckTest, TrueConditionIsEvaluatedOnceAndPasses) {
  int calls = 0;
  UC_CHECK(++calls == 1);
  EXPECT_EQ(calls, 1);
}

TEST(CheckDeathTest, FalseConditionDiesWithFileLineAndItsText) {
  EXPECT_EXIT(UC_CHECK(1 + 1 == 3), testing::KilledBySignal(SIGABRT),
              "check_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3");
}

TEST(CheckDeathTest, OverlongConditionIsCut) {
  const std::string condition(5000, 'c');
  EXPECT_EXIT(CheckFailed("file.cc", 7, condition.c_str()), testing::KilledBySignal(SIGABRT),
              "^file.cc:7: check failed: c{100}");
}

TEST(ClockTest, MonotonicTimeNeverGoesBack) {
  const int64_t before = MonotonicNanos();
  EXPECT_GT(before, 0);
  EXPECT_LE(before, MonotonicNanos());
  EXPECT_LE(MonotonicTime(before), MonotonicNow());
}

TEST(ClockTest, InstantsSubtractToDurations) {
  EXPECT_EQ(MonotonicTime(3'000'000'000) - MonotonicTime(1'000'000'000), absl::Seconds(2));
}

TEST(DescriptorLimitTest, SoftLimitRisesToTheHardOne) {
  const pid_t child = fork();
  if (child == 0) {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max / 2;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(1);
    const bool risen = RaiseDescriptorLimit() == limit.rlim_max;
    _exit(getrlimit(RLIMIT_NOFILE, &limit) == 0 && risen && limit.rlim_cur == limit.rlim_max ? 0
                                                                                             : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace uc
