#include "core/exec/program_drain.h"

#include <optional>

#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using link::DrainKind;
using Tally = ListenDoor::Tally;

constexpr absl::Duration kWithin = absl::Seconds(10);

class ProgramDrainTest : public testing::Test {
 protected:
  bool OverAfter(absl::Duration passed, const std::optional<Tally>& open) const {
    return drain_.Over(start_ + passed, open);
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'000);
  ProgramDrain drain_;
};

TEST_F(ProgramDrainTest, NothingIsDueBeforeItBegins) {
  EXPECT_FALSE(drain_.begun());
  EXPECT_EQ(drain_.due(start_), absl::InfiniteFuture());
}

TEST_F(ProgramDrainTest, WaitsForRequestsInFlight) {
  EXPECT_TRUE(drain_.Begin(DrainKind::kPrompt, kWithin, start_));
  EXPECT_FALSE(OverAfter(absl::Seconds(4), Tally{.open = 2, .busy = 1}));
  EXPECT_TRUE(OverAfter(absl::Seconds(4), Tally{.open = 2, .busy = 0}));
}

TEST_F(ProgramDrainTest, HalfOfTheTimeIsEnoughWhoeverIsBeingServed) {
  drain_.Begin(DrainKind::kHandOver, kWithin, start_);
  EXPECT_FALSE(OverAfter(absl::Milliseconds(4'999), std::nullopt));
  EXPECT_TRUE(OverAfter(absl::Seconds(5), std::nullopt));
  EXPECT_TRUE(OverAfter(absl::Seconds(5), Tally{.open = 1, .busy = 1}));
}

TEST_F(ProgramDrainTest, IdleConnectionsHaveTheirGraceWhenOthersGoOn) {
  drain_.Begin(DrainKind::kHandOver, kWithin, start_);
  EXPECT_FALSE(OverAfter(absl::Milliseconds(999), Tally{.open = 1, .busy = 0}));
  EXPECT_TRUE(OverAfter(absl::Milliseconds(999), Tally{.open = 0, .busy = 0}));
  EXPECT_TRUE(OverAfter(absl::Seconds(1), Tally{.open = 1, .busy = 0}));
}

TEST_F(ProgramDrainTest, PromptDrainEndsTheGraceOfOneThatHasBegun) {
  drain_.Begin(DrainKind::kHandOver, kWithin, start_);
  EXPECT_FALSE(drain_.Begin(DrainKind::kPrompt, absl::Hours(1), start_));
  EXPECT_TRUE(OverAfter(absl::ZeroDuration(), Tally{.open = 1, .busy = 0}));
  EXPECT_TRUE(OverAfter(absl::Seconds(5), Tally{.open = 1, .busy = 1}));
}

TEST_F(ProgramDrainTest, LooksAgainWhenTheGraceIsOverAndThenOften) {
  drain_.Begin(DrainKind::kHandOver, kWithin, start_);
  EXPECT_EQ(drain_.due(start_), start_ + absl::Seconds(1));
  const absl::Time later = start_ + absl::Seconds(2);
  EXPECT_EQ(drain_.due(later), later + absl::Milliseconds(5));
  drain_.Asked();
  EXPECT_EQ(drain_.due(later), absl::InfiniteFuture());
}

}  // namespace
}  // namespace uc::exec
