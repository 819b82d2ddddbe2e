#include "core/policy/health.h"

#include <gtest/gtest.h>

namespace uc::policy {
namespace {

constexpr HealthOptions kOptions = {absl::Seconds(10), absl::Milliseconds(50)};

// Nothing waits for it.
Health Judged(int silent, int ran, int waited) {
  return Judge({absl::Seconds(silent), {}, absl::Seconds(ran), absl::Seconds(waited)}, kOptions);
}
// Work has waited all the time.
Health JudgedWithWork(int silent_ms, int work_ms, int waited_ms) {
  return Judge({absl::Milliseconds(silent_ms),
                absl::Milliseconds(work_ms),
                {},
                absl::Milliseconds(waited_ms)},
               kOptions);
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
  EXPECT_EQ(Judged(10, 1, 9), Health::kStarved);
  EXPECT_EQ(Judged(3600, 1, 3599), Health::kStarved);
}

// Found by an endless loop on a busy machine, where it waited for a CPU most of the time.
TEST(HealthTest, LoopIsJudgedByTheTimeThatItHadOnABusyMachineToo) {
  EXPECT_EQ(Judged(39, 9, 30), Health::kStarved);
  EXPECT_EQ(Judged(40, 10, 30), Health::kStuck);
}

TEST(HealthTest, WorkThatWaitsMakesASuspectLongBefore) {
  EXPECT_EQ(JudgedWithWork(80, 49, 0), Health::kWell);
  EXPECT_EQ(JudgedWithWork(80, 50, 0), Health::kSuspect);
  EXPECT_EQ(JudgedWithWork(9999, 9000, 0), Health::kSuspect);
  EXPECT_EQ(JudgedWithWork(10'000, 9000, 0), Health::kStuck);
}

TEST(HealthTest, SuspicionOfAStarvedWorkerIsNone) {
  EXPECT_EQ(JudgedWithWork(200, 100, 51), Health::kWell);
  EXPECT_EQ(JudgedWithWork(200, 100, 50), Health::kSuspect);
  EXPECT_EQ(JudgedWithWork(10'000, 9000, 5000), Health::kStarved);
}

TEST(HealthTest, HangTimeoutOfZeroStillWantsSomeWaiting) {
  EXPECT_EQ(Judge({}, {absl::ZeroDuration(), absl::InfiniteDuration()}), Health::kStuck);
}

TEST(HealthTest, InfiniteTimesTurnTheJudgementsOff) {
  const HealthObservation dead = {absl::InfiniteDuration(), absl::Hours(1), {}, {}};
  EXPECT_EQ(Judge(dead, {absl::InfiniteDuration(), absl::InfiniteDuration()}), Health::kWell);
  EXPECT_EQ(Judge(dead, {absl::InfiniteDuration(), absl::Seconds(1)}), Health::kSuspect);
  EXPECT_EQ(Judge(dead, {absl::Seconds(10), absl::InfiniteDuration()}), Health::kStuck);
}

}  // namespace
}  // namespace uc::policy
