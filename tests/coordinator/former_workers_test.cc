// FormerWorkers: what the policy is told of the workers of a coordinator that has gone.
#include "core/coordinator/former_workers.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/coordinator/former_stage.h"

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

TEST_F(LegacyTest, NoiseIsNotTakenForANumberOfWorkersOrAGeneration) {
  layout_->header.workers_wanted.store(0xffffffff);
  layout_->header.newest_generation.store(0xffffffff);
  const policy::Legacy legacy = LegacyOf(*layout_, workers_, 3);
  EXPECT_EQ(legacy.workers_wanted, 3u);
  EXPECT_EQ(legacy.newest_generation, 0u);
}

class GreetTest : public FormerStage {
 protected:
  Greeted Greet(absl::Duration patience = absl::Seconds(10)) {
    return *GreetSurvivors(directory_, layout(), patience);
  }
  uint32_t StateOfRow(uint32_t index) { return row(index).state.load(); }
};

TEST_F(GreetTest, WorkerWhoseNumberWasNeverEnteredIsGoneOnWith) {
  const pid_t worker = Greeter(7, {.slot = 1, .generation = 7});
  Enter(0, 1, 7, 0);
  const Greeted greeted = Greet();
  ASSERT_EQ(greeted.workers.size(), 1u);
  EXPECT_EQ(greeted.workers[0].process.pid, worker);
  EXPECT_EQ(greeted.workers[0].found.worker.slot, 1u);
  EXPECT_TRUE(greeted.workers[0].greeted);
  EXPECT_TRUE(LegacyOf(layout(), greeted.workers).workers[0].answered);
  EXPECT_EQ(row(0).pid.load(), worker);
  EXPECT_EQ(row(0).process_start.load(), scoreboard::ProcessStart(worker));
}

TEST_F(GreetTest, StoppedWorkerIsGoneOnWithByItsRow) {
  Enter(0, 1, 7, Keeper(7));
  const Greeted greeted = Greet(absl::Milliseconds(50));
  ASSERT_EQ(greeted.workers.size(), 1u);
  EXPECT_FALSE(greeted.workers[0].greeted);
  EXPECT_FALSE(LegacyOf(layout(), greeted.workers).workers[0].answered);
}

TEST_F(GreetTest, WorkerInNoRowIsAStrangerAndLeaves) {
  const pid_t worker = Greeter(7, {.slot = 1, .generation = 7});
  Greeted greeted = Greet();
  EXPECT_TRUE(greeted.workers.empty());
  ASSERT_EQ(greeted.strangers.size(), 1u);
  SendAway(greeted, layout(), absl::Seconds(10));
  EXPECT_EQ(EndedBy(worker), SIGTERM);
}

TEST_F(GreetTest, RowThatLiesAboutTheSlotMakesAStranger) {
  Enter(0, 2, 7, Greeter(7, {.slot = 1, .generation = 7}));
  Greeted greeted = Greet();
  EXPECT_TRUE(greeted.workers.empty());
  EXPECT_EQ(greeted.strangers.size(), 1u);
  SendAway(greeted, layout(), absl::Seconds(10));
  EXPECT_EQ(StateOfRow(0), 0u);
}

TEST_F(GreetTest, SlotsThatCannotBeSteeredAreSetApart) {
  Enter(0, 63, 7, Greeter(7, {.slot = 63, .generation = 7}));
  Enter(1, 64, 8, Greeter(8, {.slot = 64, .generation = 8}));
  Greeted greeted = Greet();
  ASSERT_EQ(greeted.workers.size(), 2u);
  greeted.workers[0].found.adopted = {5, 64};
  greeted.workers[0].held[64];
  SetApart(greeted, 64);
  ASSERT_EQ(greeted.workers.size(), 1u);
  EXPECT_EQ(greeted.workers[0].found.adopted, std::vector<policy::SlotIndex>{5});
  EXPECT_TRUE(greeted.workers[0].held.empty());
  EXPECT_EQ(greeted.strangers.size(), 1u);
}

TEST_F(GreetTest, DeadRowsAreFreedWhateverTheySay) {
  Enter(0, 5000, 7, 0);
  Enter(1, 0xfffffff0, 8, 1);
  Enter(2, 3, 9, 0x7fffffff);
  row(3).state = 77;
  report(2).counters.accepted = 4;
  const Greeted greeted = Greet();
  EXPECT_TRUE(greeted.workers.empty());
  EXPECT_EQ(greeted.lost, (std::map<policy::SlotIndex, uint32_t>{{0, 0}, {3, 4}}));
  for (uint32_t index = 0; index < 4; ++index) EXPECT_EQ(StateOfRow(index), 0u);
}

TEST_F(GreetTest, DoorsThatNobodyKeepsAreRemoved) {
  Enter(0, 1, 7, Greeter(7, {.slot = 1, .generation = 7}));
  { const Fd door = link::MakeDoor(DoorPath(directory_, 8)).value(); }
  { const Fd door = link::MakeDoor(DoorPath(directory_, 9)).value(); }
  Enter(1, 2, 9, 0);
  EXPECT_EQ(Greet().workers.size(), 1u);
  EXPECT_EQ(access(DoorPath(directory_, 7).c_str(), F_OK), 0);
  EXPECT_NE(access(DoorPath(directory_, 8).c_str(), F_OK), 0) << "in no row";
  EXPECT_NE(access(DoorPath(directory_, 9).c_str(), F_OK), 0) << "of a worker that has ended";
}

}  // namespace
}  // namespace uc::coordinator
