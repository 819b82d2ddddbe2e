#include "core/coordinator/health_probe.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kHang = absl::Seconds(8);
const policy::HealthOptions kOptions = {kHang, absl::Milliseconds(50)};

class HealthProbeTest : public testing::Test {
 protected:
  policy::HealthObservation ObserveAfter(absl::Duration silence) {
    return probe_.Observe(beat_ + silence, getpid(), report_, kOptions,
                          [this] { return work_waits_; });
  }
  void Beat(absl::Time at) {
    beat_ = at;
    report_.heartbeat_ns.store(absl::ToUnixNanos(at));
  }

  absl::Time beat_ = MonotonicTime(1);
  bool work_waits_ = false;
  scoreboard::Report report_ = {};
  CpuAccount account_;
  HealthProbe probe_{[this](pid_t) { return std::optional<CpuAccount>(account_); }};
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
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Hours(1)), kOptions), policy::Health::kWell);
}

TEST_F(HealthProbeTest, OneBeatEndsTheSilence) {
  Beat(MonotonicTime(1'000'000'000));
  ObserveAfter(absl::Seconds(2));
  Beat(MonotonicTime(9'000'000'000));
  EXPECT_EQ(ObserveAfter(absl::Seconds(1)).since_heartbeat, absl::Seconds(1));
}

TEST_F(HealthProbeTest, WaitingWorkCountsFromWhenItWasSeenInASilence) {
  Beat(MonotonicTime(1'000'000'000));
  work_waits_ = true;
  EXPECT_EQ(ObserveAfter(absl::Milliseconds(5)).work_waiting, absl::ZeroDuration());
  EXPECT_EQ(ObserveAfter(absl::Milliseconds(30)).work_waiting, absl::ZeroDuration());
  EXPECT_EQ(ObserveAfter(absl::Milliseconds(70)).work_waiting, absl::Milliseconds(40));
}

TEST_F(HealthProbeTest, WorkThatWasTakenMeanwhileDoesNotCount) {
  Beat(MonotonicTime(1'000'000'000));
  work_waits_ = true;
  ObserveAfter(absl::Milliseconds(30));
  work_waits_ = false;
  EXPECT_EQ(ObserveAfter(absl::Milliseconds(70)).work_waiting, absl::ZeroDuration());
}

// Found by stopping a worker: each time its stand-in had emptied the queue it was trusted again.
TEST_F(HealthProbeTest, SuspectStaysOneUntilItBeatsThoughAnotherEmptiesItsQueue) {
  Beat(MonotonicTime(1'000'000'000));
  work_waits_ = true;
  ObserveAfter(absl::Milliseconds(30));
  ObserveAfter(absl::Milliseconds(90));
  work_waits_ = false;
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Milliseconds(200)), kOptions),
            policy::Health::kSuspect);
  Beat(MonotonicTime(1'210'000'000));
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Milliseconds(200)), kOptions), policy::Health::kWell);
}

TEST_F(HealthProbeTest, AccountsCountFromWhenTheSilenceWasNoticed) {
  Beat(MonotonicTime(1'000'000'000));
  account_ = {5'000'000, 7'000'000};
  ObserveAfter(absl::Seconds(2));
  account_ = {6'000'000, 9'000'000};
  const policy::HealthObservation observation = ObserveAfter(absl::Seconds(3));
  EXPECT_EQ(observation.cpu_time, absl::Milliseconds(1));
  EXPECT_EQ(observation.run_queue_delay, absl::Milliseconds(2));
}

// The kernel accounts for a wait when it is over.
TEST_F(HealthProbeTest, WorkerThatWaitsForACpuAllTheTimeIsStarvedThoughNoAccountSaysSo) {
  Beat(MonotonicTime(1'000'000'000));
  account_.runnable = true;
  ObserveAfter(absl::Seconds(2));
  account_.running_ns = 500'000'000;
  EXPECT_EQ(ObserveAfter(absl::Seconds(12)).run_queue_delay, absl::Milliseconds(9500));
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Seconds(12)), kOptions), policy::Health::kStarved);
}

TEST_F(HealthProbeTest, WorkerThatIsStoppedOnceWaitsForNoCpu) {
  Beat(MonotonicTime(1'000'000'000));
  account_.runnable = true;
  ObserveAfter(absl::Seconds(2));
  account_.runnable = false;
  ObserveAfter(absl::Seconds(3));
  account_.runnable = true;
  EXPECT_EQ(policy::Judge(ObserveAfter(absl::Seconds(12)), kOptions), policy::Health::kStuck);
}

TEST(ReadCpuAccountTest, BusyProcessIsRunnableAndItsTimeGrows) {
  const CpuAccount before = *ReadCpuAccount(getpid());
  EXPECT_TRUE(before.runnable);
  const int64_t until = MonotonicNanos() + 50'000'000;
  while (MonotonicNanos() < until) {
  }
  EXPECT_GT(ReadCpuAccount(getpid())->running_ns, before.running_ns);
}

TEST(ReadCpuAccountTest, MissingProcessHasNone) {
  EXPECT_FALSE(ReadCpuAccount(0x7ffffff0).has_value());
}

}  // namespace
}  // namespace uc::coordinator
