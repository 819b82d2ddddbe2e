#include "core/base/repeated_lines.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RepeatedLinesTest : public testing::Test {
 protected:
  static std::vector<std::string> Texts(const std::vector<RepeatedLines::Line>& lines) {
    std::vector<std::string> texts;
    for (const RepeatedLines::Line& line : lines) texts.push_back(line.text);
    return texts;
  }
  std::vector<std::string> Take(const std::string& text) {
    return Texts(lines_.Take(now_, Severity::kWarning, text));
  }
  std::vector<std::string> After(absl::Duration time) {
    now_ += time;
    return Texts(lines_.Due(now_));
  }
  // So often that the next one is held.
  void TakeAtOnce(const std::string& text) {
    for (int i = 0; i < RepeatedLines::kAtOnce; ++i) EXPECT_THAT(Take(text), ElementsAre(text));
  }

  RepeatedLines lines_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(RepeatedLinesTest, FirstOnesAreWrittenAtOnceAndTheOthersWithACount) {
  TakeAtOnce("worker 3/1: crashed");
  for (int i = 2; i < 60; ++i) {
    EXPECT_THAT(Take(absl::StrCat("worker 3/", i, ": crashed")), IsEmpty());
  }
  EXPECT_EQ(lines_.due(), now_ + absl::Seconds(60));
  EXPECT_THAT(After(absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(1)),
              ElementsAre("worker 3/59: crashed (and 57 more in the last 60 s)"));
  EXPECT_EQ(lines_.due(), absl::InfiniteFuture());
}

TEST_F(RepeatedLinesTest, OneThatIsHeldAloneIsWrittenAsItIs) {
  TakeAtOnce("scale 2 done: 2 workers");
  EXPECT_THAT(Take("scale 7 done: 7 workers"), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre("scale 7 done: 7 workers"));
}

TEST_F(RepeatedLinesTest, AnotherSlotIsAnotherLine) {
  TakeAtOnce("worker 3/1: crashed");
  EXPECT_THAT(Take("worker 4/1: crashed"), ElementsAre("worker 4/1: crashed"));
  TakeAtOnce("slot 3 is errored");
  EXPECT_THAT(Take("slot 30 is errored"), ElementsAre("slot 30 is errored"));
  EXPECT_THAT(Take("worker 3/9: is killed"), ElementsAre("worker 3/9: is killed"));
}

TEST_F(RepeatedLinesTest, OtherNumbersMakeNoOtherLine) {
  TakeAtOnce("worker 3/1 (pid 7): crashed; again in 1.5s");
  EXPECT_THAT(Take("worker 3/12 (pid 10009): crashed; again in 15s"), IsEmpty());
  TakeAtOnce("worker 1/2 accepts for slot 5 as well");
  EXPECT_THAT(Take("worker 1/2 accepts for slot 77 as well"), IsEmpty());
}

TEST_F(RepeatedLinesTest, PeriodsGrow) {
  TakeAtOnce("a");
  std::vector<int64_t> seconds;
  for (int i = 0; i < 8; ++i) {
    Take("a");
    seconds.push_back(absl::ToInt64Seconds(lines_.due() - now_));
    EXPECT_THAT(After(lines_.due() - now_), ElementsAre("a"));
  }
  EXPECT_THAT(seconds, ElementsAre(60, 120, 240, 480, 960, 1920, 3840, 7200));
}

TEST_F(RepeatedLinesTest, LineThatHasNotComeForLongBeginsAnew) {
  TakeAtOnce("a");
  EXPECT_THAT(Take("a"), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre("a"));
  now_ += RepeatedLines::kForgotten;
  TakeAtOnce("b");
  EXPECT_THAT(Take("b"), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre("b"));
  EXPECT_THAT(Take("a"), ElementsAre("a"));
}

TEST_F(RepeatedLinesTest, NothingIsHeldAtTheEnd) {
  TakeAtOnce("a");
  Take("a");
  Take("a");
  now_ += absl::Seconds(2);
  EXPECT_THAT(Texts(lines_.All(now_)), ElementsAre("a (and 1 more in the last 2 s)"));
  EXPECT_THAT(Texts(lines_.All(now_)), IsEmpty());
}

TEST_F(RepeatedLinesTest, SeverityIsThatOfTheLastOne) {
  for (int i = 0; i < RepeatedLines::kAtOnce; ++i) lines_.Take(now_, Severity::kInfo, "a");
  lines_.Take(now_, Severity::kError, "a");
  EXPECT_EQ(lines_.All(now_)[0].severity, Severity::kError);
}

TEST_F(RepeatedLinesTest, OneThatMakesRoomIsToldFirst) {
  TakeAtOnce("slot 0 x");
  Take("slot 0 x");
  size_t written = 0;
  for (size_t slot = 1; slot <= RepeatedLines::kLinesMax; ++slot) {
    now_ += absl::Milliseconds(1);
    written += Take(absl::StrCat("slot ", slot, " x")).size();
  }
  EXPECT_EQ(written, RepeatedLines::kLinesMax + 1);
}

// The figure of README: what 199 slots that crash for ever write.
TEST_F(RepeatedLinesTest, CrashLoopOf199SlotsStaysUnderAMegabyteADay) {
  size_t bytes = 0;
  const auto count = [&bytes](const std::vector<std::string>& lines) {
    for (const std::string& line : lines) bytes += line.size() + 60;  // date, severity, identity
  };
  // Each slot has lines of its own: one stands for all.
  for (int round = 0; round < 24 * 3600 / 15; ++round) {
    count(After(absl::Seconds(15)));
    count(Take(absl::StrCat("worker 198/", round * 199,
                            ": exited with code 3; the slot is errored, tried again in 15s")));
  }
  EXPECT_LT(199 * bytes, 1'000'000u);
}

}  // namespace
}  // namespace uc
