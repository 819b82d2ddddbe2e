#include "core/policy/restart_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uc::policy {
namespace {

constexpr absl::Duration kNever = absl::ZeroDuration();  // never READY

TEST(RestartPolicyTest, GoodLifeIsRestartedAtOnce) {
  RestartPolicy policy;
  for (int death = 0; death < 5; ++death) {
    EXPECT_EQ(policy.DelayAfterDeath(absl::Seconds(1), {}), absl::ZeroDuration());
  }
  EXPECT_EQ(policy.quick_deaths(), 0);
}

TEST(RestartPolicyTest, QuickDeathsWaitLongerAndLonger) {
  RestartPolicy policy;
  std::vector<absl::Duration> delays;
  for (int death = 0; death < 5; ++death) delays.push_back(policy.DelayAfterDeath(kNever, {}));
  EXPECT_THAT(delays, testing::ElementsAre(absl::ZeroDuration(), absl::Milliseconds(100),
                                           absl::Milliseconds(150), absl::Milliseconds(225),
                                           absl::Microseconds(337500)));
  EXPECT_EQ(policy.quick_deaths(), 5);
}

TEST(RestartPolicyTest, DelayIsCappedAndTheSlotNeverGivenUp) {
  RestartPolicy policy;
  for (int death = 0; death < 2'000'000; ++death) policy.DelayAfterDeath(kNever, {});
  EXPECT_EQ(policy.DelayAfterDeath(kNever, {}), absl::Seconds(15));
}

TEST(RestartPolicyTest, GoodLifeForgivesQuickDeaths) {
  RestartPolicy policy;
  for (int death = 0; death < 9; ++death) policy.DelayAfterDeath(kNever, {});
  EXPECT_EQ(policy.DelayAfterDeath(absl::Seconds(2), {}), absl::ZeroDuration());
  EXPECT_EQ(policy.DelayAfterDeath(kNever, {}), absl::ZeroDuration());
  EXPECT_EQ(policy.DelayAfterDeath(kNever, {}), absl::Milliseconds(100));
}

TEST(RestartPolicyTest, MinUptimeOfZeroDoesNotUnboundTheSpawnRate) {
  RestartOptions options;
  options.min_uptime = absl::ZeroDuration();
  RestartPolicy policy;
  for (int death = 0; death < 20; ++death) {
    policy.DelayAfterDeath(absl::Milliseconds(death % 2), options);
  }
  EXPECT_EQ(policy.DelayAfterDeath(kNever, options), options.backoff_max);
  EXPECT_EQ(policy.DelayAfterDeath(options.backoff_first, options), absl::ZeroDuration());
}

TEST(RestartPolicyTest, RestartDelayIsTheLeast) {
  RestartOptions options;
  options.restart_delay = absl::Milliseconds(120);
  RestartPolicy policy;
  EXPECT_EQ(policy.DelayAfterDeath(absl::Minutes(1), options), absl::Milliseconds(120));
  std::vector<absl::Duration> delays;
  for (int death = 0; death < 4; ++death) delays.push_back(policy.DelayAfterDeath(kNever, options));
  EXPECT_THAT(delays, testing::ElementsAre(absl::Milliseconds(120), absl::Milliseconds(120),
                                           absl::Milliseconds(150), absl::Milliseconds(225)));
}

TEST(RestartPolicyTest, ErroredSlotWaitsLongestAndIsTriedForEver) {
  RestartOptions options;
  options.restarts_max = 3;
  RestartPolicy policy;
  policy.DelayAfterDeath(kNever, options);
  EXPECT_EQ(policy.DelayAfterDeath(kNever, options), absl::Milliseconds(100));
  EXPECT_FALSE(policy.Errored(options));
  EXPECT_EQ(policy.DelayAfterDeath(kNever, options), options.backoff_max);
  EXPECT_TRUE(policy.Errored(options));
  EXPECT_EQ(policy.DelayAfterDeath(absl::Seconds(2), options), absl::ZeroDuration());
  EXPECT_FALSE(policy.Errored(options));
}

TEST(RestartPolicyTest, OnlyTheNamedExitCodesMeanDone) {
  RestartOptions options;
  EXPECT_FALSE(MeansDone(0, options));
  options.stop_exit_codes = {0, 3};
  EXPECT_TRUE(MeansDone(0, options));
  EXPECT_TRUE(MeansDone(3, options));
  EXPECT_FALSE(MeansDone(1, options));
  EXPECT_FALSE(MeansDone(std::nullopt, options));
}

}  // namespace
}  // namespace uc::policy
