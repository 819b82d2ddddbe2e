#include "core/policy/health.h"

#include <gtest/gtest.h>

namespace uc::policy {
namespace {

constexpr absl::Duration kHang = absl::Seconds(10);

Health Judged(int silent, int ran, int waited) {
  return Judge({absl::Seconds(silent), absl::Seconds(ran), absl::Seconds(waited)}, kHang);
}

TEST(HealthTest, FreshHeartbeatIsWellWhateverTheAccountsSay) {
  EXPECT_EQ(Judged(9, 9, 0), Health::kWell);
  EXPECT_EQ(Judged(9, 0, 9), Health::kWell);
}

TEST(HealthTest, SilentWorkerThatRunsIsStuckInALoop) {
  EXPECT_EQ(Judged(10, 10, 0), Health::kStuck);
}

TEST(HealthTest, SilentWorkerThatSleepsIsStuckInACall) {
  EXPECT_EQ(Judged(10, 0, 0), Health::kStuck);
}

TEST(HealthTest, SilentWorkerThatWaitsForACpuIsOnlyStarved) {
  EXPECT_EQ(Judged(10, 1, 5), Health::kStarved);
  EXPECT_EQ(Judged(10, 5, 4), Health::kStuck);
}

TEST(HealthTest, HangTimeoutOfZeroStillWantsSomeWaiting) {
  EXPECT_EQ(Judge({}, absl::ZeroDuration()), Health::kStuck);
}

TEST(HealthTest, InfiniteHangTimeoutTurnsTheJudgementOff) {
  const HealthObservation dead = {absl::InfiniteDuration(), {}, {}};
  EXPECT_EQ(Judge(dead, absl::InfiniteDuration()), Health::kWell);
}

}  // namespace
}  // namespace uc::policy
