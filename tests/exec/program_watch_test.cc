#include "core/exec/program_watch.h"

#include "gtest/gtest.h"

namespace uc::exec {
namespace {

constexpr absl::Duration kPeriod = absl::Milliseconds(500);

class ProgramWatchTest : public testing::Test {
 protected:
  void Look() { watch_.Look(now_, seen_); }
  absl::Time Heartbeat() const { return absl::FromUnixNanos(row_.heartbeat_ns.load()); }

  absl::Time now_ = absl::FromUnixSeconds(1'000);
  scoreboard::Report row_ = {};
  ProgramWatch watch_{row_, kPeriod};
  ProgramWatch::Seen seen_;
};

TEST_F(ProgramWatchTest, NoHeartbeatBeforeItIsReady) {
  Look();
  EXPECT_EQ(row_.heartbeat_ns.load(), 0);
  seen_.ready = true;
  Look();
  EXPECT_EQ(Heartbeat(), now_);
}

TEST_F(ProgramWatchTest, SilentProgramHasNoHeartbeatAndWorkWaitsForIt) {
  watch_.BeginServing(now_);
  const absl::Time last = now_;
  seen_ = {.waiting = 1, .life = {}, .turns_known = true, .ready = true};
  for (int i = 0; i < 3; ++i) {
    now_ += absl::Seconds(1);
    Look();
  }
  EXPECT_TRUE(row_.work_waits.load());
  EXPECT_LT(Heartbeat(), now_);
  EXPECT_GT(Heartbeat(), last);
  seen_.life.turns = 1;
  Look();
  EXPECT_FALSE(row_.work_waits.load());
  EXPECT_EQ(Heartbeat(), now_);
}

TEST_F(ProgramWatchTest, LooksOftenWhileConnectionsCome) {
  Look();
  EXPECT_TRUE(watch_.idle(now_));
  EXPECT_EQ(watch_.due(), now_ + kPeriod);
  watch_.Stir(now_);
  EXPECT_EQ(watch_.due(), now_);
  Look();
  EXPECT_LT(watch_.due(), now_ + absl::Milliseconds(100));
  now_ += absl::Seconds(1);
  Look();
  EXPECT_EQ(watch_.due(), now_ + kPeriod);
}

TEST_F(ProgramWatchTest, CountsAreOnTheScoreboard) {
  watch_.Count({.turns = 9, .accepts = 5, .closes = 2});
  EXPECT_EQ(row_.counters.accepted.load(), 5u);
  EXPECT_EQ(row_.counters.closed.load(), 2u);
}

}  // namespace
}  // namespace uc::exec
