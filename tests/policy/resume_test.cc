// A coordinator died. The next one goes on with what it finds.
#include <utility>

#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ResumeTest : public ClusterStory {
 protected:
  // Wanted, and the newest generation that was ever given.
  void Was(uint32_t wanted, Generation newest) {
    legacy_.workers_wanted = wanted;
    legacy_.newest_generation = newest;
  }
  void Found(WorkerId worker, WorkerState state = WorkerState::kServing,
             std::vector<SlotIndex> adopted = {}) {
    legacy_.workers.push_back({worker, state, now_ - absl::Hours(1), std::move(adopted)});
  }
  // It did not answer; this is what its row says.
  void FoundSilent(WorkerId worker, WorkerState state = WorkerState::kServing) {
    Found(worker, state);
    legacy_.workers.back().answered = false;
  }
  void FoundKept(std::vector<SlotIndex> slots) { legacy_.listeners = std::move(slots); }
};

TEST_F(ResumeTest, CompleteClusterGoesOnUntouched) {
  Was(2, 9);
  Found({0, 7});
  Found({1, 9});
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 on"));
  EXPECT_EQ(supervisor_->NextDeadline(), absl::InfiniteFuture());
  Give("ping");
  EXPECT_EQ(LastAnswer(), "done: pong: 2 of 2 workers serving");
}

TEST_F(ResumeTest, GenerationsAreNeverGivenAgain) {
  Was(2, 12);
  Found({0, 7});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 0 on", "spawn 1/13"))
      << "11 and 12 have died meanwhile";
}

TEST_F(ResumeTest, WorkerThatIsNewerThanTheNewestIsBelieved) {
  Was(2, 3);
  Found({0, 7});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 0 on", "spawn 1/8"));
}

TEST_F(ResumeTest, NewCommandsWorkAsEver) {
  Was(2, 9);
  Found({0, 7});
  Found({1, 9});
  FoundKept({0, 1});
  Resume();
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/10 on-admission"));
  Ready({0, 10});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/10", "drain 0/7 hand-over to 0/10"));
  Leaves({0, 7});
  Ready({1, 11});
  Leaves({1, 9});
  EXPECT_THAT(Answer(reload), HasSubstr("done: rolled 2 slots"));
  Give("scale 1");
  EXPECT_THAT(Asked(),
              ElementsAre("live 1 off", "drain 1/11 hand-over to 0/10", "adopt 1 by 0/10"));
}

TEST_F(ResumeTest, OfTwoThatServeInASlotTheYoungerTakesOver) {
  Was(1, 9);
  Found({0, 7});
  Found({0, 9});
  FoundKept({0});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "drain 0/7 hand-over to 0/9"));
  EXPECT_FALSE(supervisor_->rolling());
  Leaves({0, 7});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 9}));
}

TEST_F(ResumeTest, SuccessorSoaksAnew) {
  options_.soak = absl::Seconds(60);
  Was(1, 9);
  Found({0, 7});
  Found({0, 9});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
  Pass(absl::Seconds(59));
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 7}));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/7 hand-over to 0/9"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 9}));
}

TEST_F(ResumeTest, SuccessorThatDiesInItsSoakLeavesTheIncumbentUntouched) {
  options_.soak = absl::Seconds(60);
  Was(1, 9);
  Found({0, 7});
  Found({0, 9});
  Resume();
  Dies({0, 9});
  Pass(absl::Hours(1));
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Serving(0));
  EXPECT_EQ(At(0).restart_count, 0u);
}

TEST_F(ResumeTest, SoakingSuccessorTakesOverAtOnceWhenTheIncumbentDies) {
  options_.soak = absl::Seconds(60);
  Was(1, 9);
  Found({0, 7});
  Found({0, 9});
  Resume();
  Dies({0, 7});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 0 on"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 9}));
}

TEST_F(ResumeTest, SuccessorThatDoesNotAnswerTakesNothingOver) {
  for (const absl::Duration soak : {absl::ZeroDuration(), absl::Seconds(60)}) {
    options_.soak = soak;
    legacy_ = {};
    Was(1, 9);
    Found({0, 7});
    FoundSilent({0, 9});
    Resume();
    EXPECT_THAT(Asked(), ElementsAre("live 0 on")) << "its row says that it serves";
    Pass(absl::Hours(1));
    EXPECT_EQ(Incumbent(0), (WorkerId{0, 7}));
    SaysLate({0, 9}, LateHello::Phase::kServing);
    Pass(soak);
    EXPECT_EQ(Incumbent(0), (WorkerId{0, 9}));
    EXPECT_EQ(Leaving(0), (WorkerId{0, 7}));
  }
}

TEST_F(ResumeTest, SuccessorThatHangsIsKilledAndTheIncumbentServesOn) {
  Was(1, 9);
  Found({0, 7});
  FoundSilent({0, 9});
  Resume();
  Observed({0, 9}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/9 stuck"));
  Dies({0, 9}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Serving(0));
}

TEST_F(ResumeTest, ReloadWaitsForTheSoakOfWhoWasFound) {
  options_.soak = absl::Seconds(3);
  Was(1, 9);
  Found({0, 7});
  Found({0, 9});
  Resume();
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(3));
  Leaves({0, 7});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/10 on-admission"));
  Ready({0, 10});
  Pass(absl::Seconds(3));
  Leaves({0, 9});
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
}

TEST_F(ResumeTest, AbortedReloadLeavesWhoSoaksSinceBefore) {
  options_.soak = absl::Seconds(60);
  options_.roll_width = 2;
  Was(2, 9);
  Found({0, 7});
  Found({0, 9});
  Found({1, 8});
  Resume();
  Give("reload");
  Dies({1, 10});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 1"));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(60));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/7 hand-over to 0/9"));
}

TEST_F(ResumeTest, WhoWasNotReadyBeginsAnewAndThatIsNoCrash) {
  Was(3, 9);
  Found({0, 7});
  Found({1, 8}, WorkerState::kStarting);
  Found({2, 9}, WorkerState::kProving);
  Resume();
  EXPECT_THAT(Asked(), UnorderedElementsAre("kill 2/9 aborted", "kill 1/8 aborted", "live 1 off",
                                            "live 2 off", "live 0 on", "spawn 1/10", "spawn 2/11"));
  Dies({1, 8}, "killed by SIGKILL");
  Dies({2, 9}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Reported(), IsEmpty());
  EXPECT_EQ(At(1).restart_count + At(2).restart_count, 0u);
}

TEST_F(ResumeTest, SuccessorThatHadNotProvedItselfGoesAndTheIncumbentStays) {
  for (const WorkerState state : {WorkerState::kStarting, WorkerState::kProving}) {
    legacy_ = {};
    Was(1, 9);
    Found({0, 7});
    Found({0, 9}, state);
    Resume();
    EXPECT_THAT(Asked(), ElementsAre("kill 0/9 aborted", "live 0 on"));
    Dies({0, 9}, "killed by SIGKILL");
    EXPECT_THAT(Asked(), IsEmpty());
  }
}

TEST_F(ResumeTest, WhoDrainsHasItsWholeTimeAnew) {
  Was(1, 9);
  Found({0, 7}, WorkerState::kDraining);
  Found({0, 9});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
  Pass(options_.kill_timeout - absl::Milliseconds(1));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("kill 0/7 late-exit"));
}

TEST_F(ResumeTest, SlotWhoseOnlyWorkerDrainsGetsAnother) {
  Was(1, 9);
  Found({0, 9}, WorkerState::kDraining);
  FoundKept({0});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/10"));
  Ready({0, 10});
  Leaves({0, 9});
  EXPECT_THAT(Live(), ElementsAre(0));
  EXPECT_EQ(At(0).restart_count, 0u);
}

TEST_F(ResumeTest, SlotWithADrainingAndAStartingOneWaitsForRoom) {
  Was(1, 9);
  Found({0, 8}, WorkerState::kDraining);
  Found({0, 9}, WorkerState::kStarting);
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("kill 0/9 aborted", "live 0 off"));
  Dies({0, 9}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/10"));
}

TEST_F(ResumeTest, WhoWasKilledIsKilledAgainInCaseItWasNot) {
  Was(2, 9);
  Found({0, 7});
  Found({1, 9}, WorkerState::kKilled);
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("kill 1/9 aborted", "live 1 off", "live 0 on", "spawn 1/10",
                                   "adopt 1 by 0/7"));
  Dies({1, 9}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
}

// --- What a scoreboard says that a worker has scribbled on ---

TEST_F(ResumeTest, NumberOfWorkersThatCannotBeIsNotBelieved) {
  options_.workers = 3;
  options_.workers_max = 64;
  for (const uint32_t wanted : {0u, 65u, UINT32_MAX}) {
    legacy_ = {};
    Was(wanted, 9);
    Found({0, 7});
    Found({1, 9});
    Resume();
    EXPECT_EQ(supervisor_->workers_wanted(), 2u) << wanted;
    legacy_ = {};
    Was(wanted, 9);
    Resume();
    EXPECT_EQ(supervisor_->workers_wanted(), 3u) << wanted << ", and nobody serves";
  }
}

TEST_F(ResumeTest, NewestGenerationThatCannotBeIsNotBelieved) {
  Was(2, UINT32_MAX);
  Found({0, 7});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 0 on", "spawn 1/8"));
}

TEST_F(ResumeTest, WorkerThatCannotBeIsKilledAndHoldsNoSlot) {
  Was(1, 9);
  Found({0, 7});
  Found({kWorkersMax, 8});
  Found({0, UINT32_MAX});
  Resume();
  EXPECT_THAT(Asked(), UnorderedElementsAre("kill 1024/8 aborted", "kill 0/4294967295 aborted",
                                            "live 0 on"));
  EXPECT_EQ(supervisor_->slots().size(), 1u);
}

TEST_F(ResumeTest, ListenersOfSlotsThatCannotBeAreLeftAlone) {
  Was(1, 9);
  Found({0, 7}, WorkerState::kServing, {kWorkersMax, UINT32_MAX});
  FoundKept({0, kWorkersMax, UINT32_MAX});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
}

TEST_F(ResumeTest, SlotThatNobodyIsInAnyMoreIsNotLive) {
  Was(1, 9);
  Found({0, 7});
  legacy_.live = {0, 3, UINT32_MAX};
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 3 off", "live 0 on"));
}

// --- What is missing ---

TEST_F(ResumeTest, MissingWorkersAreSpawnedAndTheirQueuesServedMeanwhile) {
  Was(3, 9);
  Found({1, 9});
  FoundKept({0, 1, 2});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 2 off", "live 1 on", "spawn 0/10",
                                   "spawn 2/11", "adopt 0 by 1/9", "adopt 2 by 1/9"));
}

TEST_F(ResumeTest, NobodyLeftIsABootThatIsNeverGivenUp) {
  Was(2, 9);
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 1 off", "spawn 0/10", "spawn 1/11"));
  Refuses({0, 10}, "no such app", Fault::kOperator);
  EXPECT_FALSE(supervisor_->stopping());
}

TEST_F(ResumeTest, WorkersOfRetiredSlotsLeaveAfterTheirGrace) {
  options_.retire_grace = absl::Seconds(1);
  Was(1, 9);
  Found({0, 7});
  Found({1, 8});
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 0 on"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 1/8 hand-over to 0/7", "adopt 1 by 0/7"));
  Leaves({1, 8});
  EXPECT_EQ(supervisor_->slots().size(), 1u);
}

TEST_F(ResumeTest, RetiredSlotsAreEvacuatedWhereTheKernelCan) {
  options_.retirement = Retirement::kMigrate;
  Was(1, 9);
  Found({0, 7}, WorkerState::kServing, {2});  // from times when it could not
  Found({1, 8}, WorkerState::kDraining);
  FoundKept({0, 1, 2});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 2 off", "live 0 on", "evacuate 1",
                                   "release 2 by 0/7", "evacuate 2"));
}

TEST_F(ResumeTest, OnlyWorkerThatServesServesOnThoughItsSlotIsRetired) {
  Was(1, 9);
  Found({1, 8});
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Live(), ElementsAre(1));
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/8"));
  Ready({0, 10});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 off", "drain 1/8 hand-over to 0/10",
                                   "adopt 1 by 0/10"));
}

TEST_F(ResumeTest, AdoptedSlotsStayWithTheirStandIns) {
  Was(2, 9);
  Found({0, 7}, WorkerState::kServing, {2, 3});
  Found({1, 8});
  FoundKept({0, 1, 2, 3});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 2 off", "live 3 off", "live 0 on", "live 1 on"));
  Dies({0, 7});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/8", "2 by 1/8", "3 by 1/8"));
}

TEST_F(ResumeTest, AdoptedSlotThatServesItselfIsReleased) {
  Was(2, 9);
  Found({0, 7}, WorkerState::kServing, {1});
  Found({1, 8});
  FoundKept({0, 1});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 on", "release 1 by 0/7"));
}

TEST_F(ResumeTest, StandInThatDrainsIsFollowedByAnother) {
  Was(2, 9);
  Found({0, 7}, WorkerState::kDraining, {2});
  Found({1, 8});
  FoundKept({0, 1, 2});
  Resume();
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/8", "2 by 1/8"));
}

TEST_F(ResumeTest, OfTwoStandInsOneLetsGo) {
  Was(2, 9);
  Found({0, 7}, WorkerState::kServing, {2});
  Found({1, 8}, WorkerState::kServing, {2});
  FoundKept({0, 1, 2});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("release 2 by 1/8", "live 2 off", "live 0 on", "live 1 on"));
}

TEST_F(ResumeTest, OfThreeThatServeInASlotTheOldestStaysAndTheOthersHaveTheirTime) {
  Was(1, 9);
  for (const Generation generation : {7, 8, 9}) Found({0, generation});
  Resume();
  EXPECT_THAT(Asked(),
              ElementsAre("drain 0/8 hand-over to 0/7", "drain 0/9 hand-over to 0/7", "live 0 on"));
  Leaves({0, 8});
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/9 late-exit"));
  Dies({0, 9}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Serving(0));
}

TEST_F(ResumeTest, OnlyOneThatServesIsNotKilledForTheSakeOfYoungerOnes) {
  Was(1, 9);
  Found({0, 7});
  Found({0, 8}, WorkerState::kStarting);
  Found({0, 9}, WorkerState::kProving);
  Resume();
  EXPECT_THAT(Asked(), UnorderedElementsAre("kill 0/9 aborted", "kill 0/8 aborted", "live 0 on"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 7}));
  legacy_.workers[1].state = WorkerState::kDraining;
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("kill 0/9 aborted", "live 0 on"));
  EXPECT_EQ(Leaving(0), (WorkerId{0, 8}));
}

TEST_F(ResumeTest, OfThreeInASlotTheOneThatServesStays) {
  Was(2, 9);
  Found({1, 3});
  Found({0, 7}, WorkerState::kRestarting);
  Found({0, 8});
  Found({0, 9}, WorkerState::kRestarting);
  Resume();
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 8}));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/7 hand-over to 0/8", "drain 0/9 hand-over to 0/8",
                                   "live 0 on", "live 1 on"));
  Leaves({0, 7});
  Leaves({0, 9});
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(ResumeTest, OfThreeInASlotOneThatAnsweredStays) {
  Was(1, 9);
  FoundSilent({0, 7});
  Found({0, 8});
  Found({0, 9});
  Resume();
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 8}));
  EXPECT_THAT(Asked(),
              ElementsAre("drain 0/7 hand-over to 0/8", "drain 0/9 hand-over to 0/8", "live 0 on"));
}

TEST_F(ResumeTest, OfThreeInASlotItIsServedAnewWhenTwoHaveLeft) {
  Was(1, 9);
  for (const Generation generation : {7, 8, 9}) Found({0, generation});
  Resume();
  Dies({0, 7});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off")) << "two in a slot, no third";
  Leaves({0, 8});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/10"));
}

TEST_F(ResumeTest, FourthWorkerOfASlotGoes) {
  Was(1, 9);
  for (const Generation generation : {6, 7, 8, 9}) Found({0, generation});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("kill 0/9 aborted", "drain 0/7 hand-over to 0/6",
                                   "drain 0/8 hand-over to 0/6", "live 0 on"));
}

TEST_F(ResumeTest, ListenersOfAWorkerThatWasSilentComeLater) {
  Was(2, 9);
  Found({0, 7});
  Found({1, 8});
  FoundKept({0});
  Resume();
  Kept(1);
  EXPECT_THAT(Asked(), IsEmpty());
  Dies({1, 8});
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "spawn 1/10", "adopt 1 by 0/7"));
}

// --- A worker that was silent tells later what it does; until then its row was believed ---

using Phase = LateHello::Phase;

class LateTest : public ResumeTest {
 protected:
  void SetUp() override {
    Was(2, 9);
    FoundKept({0, 1});
    Found({0, 7});
  }
  // Another one, whose row says this.
  void RowSays(WorkerState state) {
    Found({1, 8}, state);
    Resume();
  }
  void Says(Phase phase) { SaysLate({1, 8}, phase); }
};

TEST_F(LateTest, DrainingWorkerIsFollowedByAnotherAtOnceAndHasItsWholeTime) {
  RowSays(WorkerState::kServing);
  Pass(absl::Minutes(1));
  Says(Phase::kDraining);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "spawn 1/10", "adopt 1 by 0/7"));
  EXPECT_THAT(Reported(),
              ElementsAre("slot 1, generation 8: was leaving when this coordinator came"));
  EXPECT_EQ(Leaving(1), (WorkerId{1, 8}));
  Ready({1, 10});
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  Pass(options_.kill_timeout - absl::Milliseconds(1));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("kill 1/8 late-exit"));
  Dies({1, 8}, "killed by SIGKILL");
  EXPECT_EQ(At(1).restart_count, 0u) << "it was no crash";
}

TEST_F(LateTest, DrainingWorkerMakesRoomForTheSuccessorOfARoll) {
  RowSays(WorkerState::kServing);
  const CommandId reload = Give("reload");
  Ready({0, 10});
  Leaves({0, 7});
  ASSERT_EQ(Successor(1), (WorkerId{1, 11}));
  Says(Phase::kDraining);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "adopt 1 by 0/10"));
  Ready({1, 11});
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 11}));
  Leaves({1, 8});
  EXPECT_EQ(Answer(reload), "done: rolled 2 slots");
}

TEST_F(LateTest, DrainingWorkerBesideAnotherThatLeavesIsFollowedWhenItHasLeft) {
  Found({1, 5}, WorkerState::kDraining);
  RowSays(WorkerState::kServing);
  Says(Phase::kDraining);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "adopt 1 by 0/7")) << "two in a slot, no third";
  Leaves({1, 8});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/10"));
}

TEST_F(LateTest, DrainingWorkerOfARetiredSlotOnlyLeaves) {
  legacy_.workers_wanted = 1;
  RowSays(WorkerState::kServing);
  Says(Phase::kDraining);
  EXPECT_THAT(Asked(), IsEmpty());
  Leaves({1, 8});
  EXPECT_EQ(supervisor_->slots().size(), 1u);
}

TEST_F(LateTest, WorkerThatWaitsForItsAdmissionBeginsAnew) {
  RowSays(WorkerState::kServing);
  Says(Phase::kProving);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "kill 1/8 aborted", "adopt 1 by 0/7"));
  Dies({1, 8}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/10"));
  EXPECT_EQ(At(1).restart_count, 0u);
}

TEST_F(LateTest, WorkerWhoseProgramHasEndedHasItStartedAgain) {
  RowSays(WorkerState::kServing);
  Says(Phase::kRestarting);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "start program 1/8"));
}

TEST_F(LateTest, WorkerThatServesThoughItsRowSaysThatItRestartsIsLive) {
  RowSays(WorkerState::kRestarting);
  ASSERT_FALSE(Serving(1));
  Says(Phase::kServing);
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  EXPECT_TRUE(Serving(1));
}

TEST_F(LateTest, WorkerThatServesThoughItsRowSaysThatItDrainsIsToldToLeave) {
  for (const Phase phase : {Phase::kServing, Phase::kRestarting}) {
    legacy_.workers.resize(1);
    RowSays(WorkerState::kDraining);
    Says(phase);
    EXPECT_THAT(Asked(), ElementsAre("drain 1/8 prompt to 0/7"));
    Says(phase);
    EXPECT_THAT(Asked(), IsEmpty()) << "once";
  }
}

TEST_F(LateTest, WorkerThatThisCoordinatorHasToldToLeaveIsNotToldTwice) {
  RowSays(WorkerState::kServing);
  Give("restart 1");
  Says(Phase::kServing);
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(LateTest, WhatTheRowSaidAlreadyChangesNothing) {
  const std::pair<WorkerState, Phase> same[] = {{WorkerState::kServing, Phase::kServing},
                                                {WorkerState::kRestarting, Phase::kRestarting},
                                                {WorkerState::kDraining, Phase::kDraining}};
  for (const auto& [state, phase] : same) {
    legacy_.workers.resize(1);
    RowSays(state);
    Says(phase);
    EXPECT_THAT(Asked(), IsEmpty());
    EXPECT_THAT(Reported(), IsEmpty());
  }
}

TEST_F(LateTest, WorkerThatThisCoordinatorHasSpawnedSaysNothingLate) {
  RowSays(WorkerState::kServing);
  Dies({1, 8});
  Ready({1, 10});
  for (const Phase phase : {Phase::kProving, Phase::kRestarting, Phase::kDraining}) {
    SaysLate({1, 10}, phase);
    EXPECT_THAT(Asked(), IsEmpty());
  }
  EXPECT_EQ(supervisor_->events_ignored(), 3u);
}

TEST_F(LateTest, WhoStandsInForASlotOfItsOwnWorkerLetsGo) {
  RowSays(WorkerState::kServing);
  HoldsLate({1, 8}, 0);
  EXPECT_THAT(Asked(), ElementsAre("release 0 by 1/8"));
}

TEST_F(LateTest, WhoStandsInForASlotOfNobodyStays) {
  legacy_.listeners = {0, 1, 2};
  RowSays(WorkerState::kServing);
  ASSERT_THAT(StandIns(), ElementsAre("2 by 0/7"));
  HoldsLate({1, 8}, 2);
  EXPECT_THAT(Asked(), ElementsAre("release 2 by 1/8")) << "somebody else was found meanwhile";
  Kept(3);
  ASSERT_THAT(StandIns(), ElementsAre("2 by 0/7", "3 by 1/8"));
  HoldsLate({1, 8}, 3);
  EXPECT_THAT(Asked(), IsEmpty()) << "it is the one";
}

TEST_F(LateTest, WhoStandsInForASlotThatIsGoneLetsGo) {
  RowSays(WorkerState::kServing);
  HoldsLate({1, 8}, 7);
  EXPECT_THAT(Asked(), ElementsAre("release 7 by 1/8"));
}

TEST_F(ResumeTest, AgeAndRestartCountsGoOn) {
  Was(1, 9);
  Found({0, 9});
  legacy_.restart_counts = {{0, 41}, {77, 3}};
  Resume();
  Dies({0, 9});
  EXPECT_THAT(Reported(),
              ElementsAre("slot 0, generation 9: killed by SIGSEGV; restarted at once"));
  EXPECT_EQ(At(0).restart_count, 42u);
  EXPECT_EQ(At(0).restarts.quick_deaths(), 0) << "it had lived for an hour";
}

TEST_F(ResumeTest, SmallerModeTakesWhatItCanSteer) {
  options_.workers_max = 2;
  Was(3, 9);
  for (const SlotIndex slot : {0, 1, 2}) Found({slot, 7 + slot});
  Resume();
  EXPECT_EQ(supervisor_->workers_wanted(), 2u);
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 on", "drain 2/9 hand-over to 0/7 1/8"));
}

TEST_F(ResumeTest, NothingIsRebalancedForIt) {
  options_.rebalancing = true;
  Was(2, 9);
  Found({0, 7});
  Found({1, 8});
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 on"));
}

}  // namespace
}  // namespace uc::policy
