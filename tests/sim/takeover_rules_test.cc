// The rules about what a new coordinator finds are seen to fall; and the whole simulation sees a coordinator that makes
// workers, or looks for them, in a worse way than ours.
#include "tests/sim/doctored_cluster.h"
#include "tests/sim/run_directory.h"
#include "tests/sim/simulation.h"

namespace uc::sim {
namespace {

using policy::Actions;
using policy::Legacy;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr Pid kFirstPid = 1000;
constexpr Pid kOtherPid = 1001;
constexpr Pid kStrangersPid = 17;

class TakeoverRulesTest : public DoctoredCluster {
 protected:
  void See(const Processes& processes) { invariants_->See(processes); }
  std::string Recovered() { return invariants_->Recovered(now_, ViewOf(*supervisor_)); }
};

TEST_F(TakeoverRulesTest, OnlyOurProcessesAreNamed) {
  Boot(2);
  See({{{1, kStrangersPid}}, {{kFirstPid, 1}}, {}});
  EXPECT_THAT(With(policy::Kill{kFirst}), Falls("OnlyOurProcessesAreNamed"));
  See({{{1, kOtherPid}}, {{kFirstPid, 1}, {kOtherPid, 2}}, {}});
  EXPECT_THAT(With(policy::Drain{kFirst}), Falls("OnlyOurProcessesAreNamed"));
}

TEST_F(TakeoverRulesTest, FinishLeavesNobody) {
  Boot(1);
  See({{}, {{kOtherPid, 2}}, {}});
  Holds(Given(policy::Stop{}));
  EXPECT_THAT(With(policy::Report{}, Death(kFirst)), Falls("FinishLeavesNobody"));
}

TEST_F(TakeoverRulesTest, WhatCannotBeIsEnded) {
  for (const policy::WorkerId id :
       {policy::WorkerId{policy::kWorkersMax, 3}, {UINT32_MAX, 3}, {0, 0}, {0, UINT32_MAX}}) {
    Boot(1);
    const Legacy legacy = {1, 1, {{kFirst}, {id}}, {}, {}, {}, {}};
    EXPECT_THAT(Reborn(legacy, legacy, Remove<policy::Kill>), Falls("WhatCannotBeIsEnded"));
  }
}

TEST_F(TakeoverRulesTest, TablesHaveTheirBounds) {
  Boot(2);
  EXPECT_THAT(ShownAs([](View* view) { view->wanted = policy::kWorkersMax + 1; }),
              Falls("TablesHaveTheirBounds"));
}

TEST_F(TakeoverRulesTest, NobodyIsForgotten) {
  Boot(1);
  See({{{1, kFirstPid}}, {{kFirstPid, 1}}, {}});
  EXPECT_EQ(Recovered(), "");
  See({{{1, kFirstPid}}, {{kFirstPid, 1}, {kOtherPid, 2}}, {}});
  EXPECT_THAT(Recovered(), Falls("NobodyIsForgotten"));
  See({{{1, kFirstPid}, {2, kOtherPid}}, {{kFirstPid, 1}, {kOtherPid, 2}}, {}});
  EXPECT_THAT(Recovered(), Falls("NobodyIsForgotten")) << "in no table of the policy";
}

TEST_F(TakeoverRulesTest, WhoServesAccepts) {
  Boot(1);
  See({{{1, kFirstPid}}, {{kFirstPid, 1}}, {1}});
  EXPECT_THAT(Recovered(), Falls("WhoServesAccepts"));
}

// --- What the next coordinator reads ---

RunDirectory WithRow(const Row& row) {
  RunDirectory directory;
  directory.rows = {row};
  return directory;
}

TEST(RunDirectoryTest, DoorIsBelievedMoreThanTheRow) {
  RunDirectory directory = WithRow({kStrangersPid, 5, 7, 99});
  directory.doors[7] = {kFirstPid, absl::InfinitePast(), Keeper::Hello{2}};
  const TakenOver taken = ReadRunDirectory(directory, TakeOver::kByRowsAndDoors);
  EXPECT_THAT(taken.processes, ElementsAre(Pair(7, kFirstPid)));
  ASSERT_EQ(taken.legacy.workers.size(), 1u);
  EXPECT_EQ(taken.legacy.workers[0].worker, (policy::WorkerId{2, 7}));
  EXPECT_EQ(taken.legacy.workers[0].state, policy::WorkerState::kServing);
}

TEST(RunDirectoryTest, SilentWorkerWithoutARowThatCouldBeHasToLeave) {
  for (const Row& row : {Row{kFirstPid, 0, 8, 1}, Row{kFirstPid, 5000, 7, 1}, Row{1, 0, 7, 99}}) {
    RunDirectory directory = WithRow(row);
    directory.doors[7] = {kFirstPid, absl::InfinitePast(), std::nullopt};
    const TakenOver taken = ReadRunDirectory(directory, TakeOver::kChecked);
    EXPECT_THAT(taken.dismissed, ElementsAre(kFirstPid));
    EXPECT_THAT(taken.legacy.workers, IsEmpty());
  }
}

TEST(RunDirectoryTest, WorkerThatContradictsItsRowHasToLeave) {
  RunDirectory directory = WithRow({kFirstPid, 5, 7, 1});
  directory.doors[7] = {kFirstPid, absl::InfinitePast(), Keeper::Hello{2}};
  EXPECT_THAT(ReadRunDirectory(directory, TakeOver::kChecked).dismissed, ElementsAre(kFirstPid));
}

TEST(RunDirectoryTest, RowWithoutADoorIsNobody) {
  const TakenOver taken = ReadRunDirectory(WithRow({kStrangersPid, 0, 7, 1}), TakeOver::kChecked);
  EXPECT_THAT(taken.processes, IsEmpty());
  EXPECT_THAT(taken.dismissed, IsEmpty());
}

// --- Worse coordinators than ours ---

std::string RunWith(const Habits& habits) { return Simulation(1, nullptr, habits).Run(200'000); }

TEST(HabitsTest, ProcessBeforeItsRowIsForgottenByWhoReadsRowsOnly) {
  const auto forgotten = AnyOf(StartsWith("NobodyIsForgotten"), StartsWith("FinishLeavesNobody"));
  EXPECT_THAT(RunWith({TakeOver::kByRows, BirthOrder::kRowLast, false}), forgotten);
  EXPECT_THAT(RunWith({TakeOver::kByRows, BirthOrder::kRowFirst, false}), forgotten)
      << "a row without a pid";
}

TEST(HabitsTest, PidOfARowThatLiesBelongsToSomebodyElse) {
  EXPECT_THAT(RunWith({TakeOver::kPidOfRow, BirthOrder::kRowFirst, true}),
              StartsWith("OnlyOurProcessesAreNamed"));
}

TEST(HabitsTest, DoorsAloneFindEverybody) {
  EXPECT_EQ(RunWith({TakeOver::kChecked, BirthOrder::kRowLast, true}), "");
}

}  // namespace
}  // namespace uc::sim
