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

}  // namespace
}  // namespace uc::policy
