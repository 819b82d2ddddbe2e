// FormerWorkers: what the policy is told of the workers of a coordinator that has gone.
#include "core/coordinator/former_workers.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace uc::coordinator {
namespace {

class LegacyTest : public testing::Test {
 protected:
  const std::unique_ptr<scoreboard::Layout> layout_ = std::make_unique<scoreboard::Layout>();
  std::vector<FormerWorker> workers_;
};

TEST_F(LegacyTest, OfAnEmptyScoreboardOneWorkerIsWanted) {
  const policy::Legacy legacy = LegacyOf(*layout_, workers_);
  EXPECT_EQ(legacy.workers_wanted, 1u);
  EXPECT_TRUE(legacy.workers.empty());
  EXPECT_TRUE(legacy.restart_counts.empty());
  EXPECT_TRUE(legacy.stopped.empty());
}

TEST_F(LegacyTest, SlotsAreAsTheScoreboardSays) {
  layout_->header.workers_wanted.store(3);
  layout_->slots[1].restarts.store(7);
  layout_->slots[2].condition.store(static_cast<uint32_t>(scoreboard::Condition::kStopped));
  const policy::Legacy legacy = LegacyOf(*layout_, workers_);
  EXPECT_EQ(legacy.workers_wanted, 3u);
  EXPECT_EQ(legacy.restart_counts, (std::map<policy::SlotIndex, uint64_t>{{1, 7}}));
  EXPECT_EQ(legacy.stopped, std::vector<policy::SlotIndex>{2});
}

// The coordinator may have died between a birth and its entry.
TEST_F(LegacyTest, AWorkerThatIsNewerThanTheScoreboardCounts) {
  layout_->header.newest_generation.store(4);
  workers_.resize(2);
  workers_[0].found.worker = {0, 5};
  workers_[1].found.worker = {1, 3};
  const policy::Legacy legacy = LegacyOf(*layout_, workers_);
  EXPECT_EQ(legacy.newest_generation, 5u);
  EXPECT_EQ(legacy.workers.size(), 2u);
}

}  // namespace
}  // namespace uc::coordinator
