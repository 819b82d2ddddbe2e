#include "core/front/hang_watch.h"

#include "gtest/gtest.h"

namespace uc::front {
namespace {

using Verdict = HangWatch::Verdict;

class HangWatchTest : public testing::Test {
 protected:
  HangWatchTest() { watch_.Begin(now_); }
  // The first verdict that is another one than kWell, within so long; each look comes when it is due.
  Verdict Pass(absl::Duration duration) {
    for (const absl::Time end = now_ + duration; now_ < end;) {
      now_ += watch_.period();
      const Verdict verdict = watch_.Look(now_, answers_);
      if (verdict != Verdict::kWell) return verdict;
    }
    return Verdict::kWell;
  }

  static constexpr absl::Duration kTimeout = absl::Seconds(4);
  HangWatch watch_{kTimeout};
  absl::Time now_ = absl::FromUnixSeconds(1000);
  uint64_t answers_ = 0;
};

TEST_F(HangWatchTest, SilentProgramIsAskedAfterHalfOfTheTimeOut) {
  const absl::Time begin = now_;
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
  EXPECT_EQ(now_ - begin, kTimeout / 2);
}

TEST_F(HangWatchTest, WhoAnswersNothingForTheTimeOutFromThenOnIsHung) {
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
  const absl::Time asked = now_;
  EXPECT_EQ(Pass(2 * kTimeout), Verdict::kHung);
  EXPECT_EQ(now_ - asked, kTimeout);
}

TEST_F(HangWatchTest, AnswerToTheQuestionBeginsAnew) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
    EXPECT_EQ(Pass(kTimeout - watch_.period()), Verdict::kWell);
    watch_.Alive();
  }
}

TEST_F(HangWatchTest, AnswerToAnybodyIsAsGood) {
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
  for (int i = 0; i < 10; ++i) {
    ++answers_;
    EXPECT_NE(Pass(kTimeout), Verdict::kHung) << "the question waits in a queue that moves";
  }
}

TEST_F(HangWatchTest, BusyOneIsNeverAsked) {
  for (int i = 0; i < 100; ++i) {
    ++answers_;
    EXPECT_EQ(Pass(kTimeout / 4), Verdict::kWell);
  }
}

TEST_F(HangWatchTest, PauseOfTheWholeMachineIsNobodysHang) {
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
  now_ += absl::Hours(1);
  EXPECT_EQ(watch_.Look(now_, answers_), Verdict::kWell);
  EXPECT_EQ(Pass(kTimeout / 2), Verdict::kWell);
}

TEST_F(HangWatchTest, NextProgramBeginsAnew) {
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
  EXPECT_EQ(Pass(kTimeout - watch_.period()), Verdict::kWell);
  now_ += absl::Seconds(1);
  watch_.Begin(now_);
  EXPECT_EQ(Pass(kTimeout), Verdict::kAsk);
}

}  // namespace
}  // namespace uc::front
