#include "core/coordinator/health_probe.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kHang = absl::Seconds(8);

class HealthProbeTest : public testing::Test {
 protected:
  policy::HealthObservation ObserveAfter(absl::Duration silence) {
    return probe_.Observe(beat_ + silence, getpid(), row_, kHang);
  }
  void Beat(absl::Time at) {
    beat_ = at;
    row_.heartbeat_ns.store(absl::ToUnixNanos(at));
  }

  absl::Time beat_ = MonotonicTime(1);
  scoreboard::WorkerRow row_ = {};
  HealthProbe probe_;
};

TEST_F(HealthProbeTest, WorkerThatNeverBeatIsNotJudged) {
  EXPECT_EQ(ObserveAfter(absl::Hours(1)).since_heartbeat, absl::ZeroDuration());
}

TEST_F(HealthProbeTest, SilenceGrowsFromWhenItWasNoticed) {
  Beat(MonotonicTime(1'000'000'000));
  EXPECT_EQ(ObserveAfter(absl::Seconds(2)).since_heartbeat, kHang / 4);
  EXPECT_EQ(ObserveAfter(absl::Seconds(7)).since_heartbeat, kHang / 4 + absl::Seconds(5));
}

TEST_F(HealthProbeTest, PauseOfTheWholeMachineIsNoHangAtFirstSight) {
  Beat(MonotonicTime(1'000'000'000));
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Hours(1)), kHang), policy::Health::kWell);
}

TEST_F(HealthProbeTest, OneBeatEndsTheSilence) {
  Beat(MonotonicTime(1'000'000'000));
  ObserveAfter(absl::Seconds(2));
  Beat(MonotonicTime(9'000'000'000));
  EXPECT_EQ(ObserveAfter(absl::Seconds(1)).since_heartbeat, absl::Seconds(1));
}

TEST_F(HealthProbeTest, CpuTimeOfABusyWorkerIsSeen) {
  Beat(MonotonicTime(1'000'000'000));
  ObserveAfter(absl::Seconds(2));
  const int64_t until = MonotonicNanos() + 50'000'000;
  while (MonotonicNanos() < until) {
  }
  EXPECT_GT(ObserveAfter(absl::Seconds(3)).cpu_time, absl::ZeroDuration());
}

TEST(ReadCpuAccountTest, MissingProcessHasNone) {
  EXPECT_FALSE(ReadCpuAccount(0x7ffffff0).has_value());
}

}  // namespace
}  // namespace uc::coordinator
