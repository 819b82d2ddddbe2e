#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RollTest : public ClusterStory {
 protected:
  // The slot at turn: successor READY, old worker leaves.
  void Turn(SlotIndex slot) {
    Ready(Successor(slot));
    Leaves(Leaving(slot));
  }
};

TEST_F(RollTest, GoesOneByOneAndTheSuccessorIsReadyBeforeTheIncumbentDrains) {
  Boot(2);
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/3", "drain 0/1 hand-over to 0/3"));
  EXPECT_THAT(Told(), ElementsAre("slot 0: generation 3 ready, draining generation 1"));
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/4 on-admission"));
  EXPECT_THAT(Told(), ElementsAre("slot 0: done 1/2"));
  Turn(1);
  EXPECT_EQ(Answer(reload), "done: rolled 2 slots");
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  EXPECT_FALSE(supervisor_->rolling());
}

TEST_F(RollTest, AbortsWhenSuccessorDies) {
  Boot(3);
  const CommandId reload = Give("reload");
  Turn(0);
  Dies(Successor(1), "killed by SIGSEGV");
  EXPECT_EQ(Answer(reload),
            "failed: roll aborted at slot 1: worker killed by SIGSEGV before it was ready; 1 of "
            "3 slots already run the new generation, all others are untouched");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Live(), ElementsAre(0, 1, 2));
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 2}));
}

TEST_F(RollTest, AbortsWhenSuccessorRefuses) {
  Boot(1);
  Give("reload");
  Refuses({0, 2}, "no such app");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/2 aborted"));
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0: no such app; 0 of 1 slot"));
  Dies({0, 2}, "exited with code 2");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(At(0).restart_count, 0u);
}

TEST_F(RollTest, AbortsWhenSuccessorIsLate) {
  Boot(1);
  Give("reload");
  Pass(options_.listen_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/2 late-ready"));
  EXPECT_THAT(LastAnswer(), HasSubstr("not ready within 10s"));
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(RollTest, AbortsWhenSuccessorCannotBeSpawned) {
  Boot(1);
  Give("reload");
  CannotSpawn({0, 2}, "no such file");
  EXPECT_THAT(LastAnswer(), HasSubstr("no such file"));
  EXPECT_TRUE(Serving(0));
}

TEST_F(RollTest, AbortsWhenTheNewWorkerDiesBeforeTheOldOneHasLeft) {
  Boot(2);
  Give("reload");
  Ready({0, 3});
  Dies({0, 3});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0: generation 3, just ready"));
  EXPECT_THAT(LastAnswer(), HasSubstr("; 0 of 2 slots already run the new generation, 1 more "
                                      "gets it because the old worker does not serve"));
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/4"));
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 2})) << "untouched";
}

TEST_F(RollTest, AbortedRollTellsOfTheSuccessorThatStays) {
  options_.roll_width = 2;
  Boot(3);
  Give("reload");
  Dies({0, 1});
  Dies({1, 5});
  EXPECT_THAT(LastAnswer(),
              HasSubstr("; 0 of 3 slots already run the new generation, 1 more "
                        "gets it because the old worker does not serve, all others are untouched"));
  Ready({0, 4});
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 4}));
}

TEST_F(RollTest, CrashLoopingSlotGetsTheNewBuildWithoutBackOff) {
  Boot(2);
  Dies({0, 1});
  Dies(Incumbent(0));
  ASSERT_FALSE(At(0).incumbent.has_value());
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4"));
  Ready({0, 4});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "spawn 1/5 on-admission"));
  Turn(1);
  EXPECT_THAT(Answer(reload), HasSubstr("done"));
}

TEST_F(RollTest, CrashLoopingSlotThatStillFailsAbortsTheRoll) {
  Boot(2);
  Dies({0, 1});
  Dies(Incumbent(0));
  Give("reload");
  Dies({0, 4});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0"));
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(RollTest, WorkerBornBeforeTheRollAndStillStartingIsWaitedForThenReplaced) {
  Boot(2);
  Dies({0, 1});
  Give("reload");
  EXPECT_THAT(Asked(), IsEmpty());
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "spawn 0/4 on-admission"));
}

TEST_F(RollTest, OldWorkerThatFailsAtItsTurnDoesNotAbort) {
  Boot(2);
  Dies({0, 1});
  Give("reload");
  Dies({0, 3});
  EXPECT_EQ(LastAnswer(), "");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4"));
}

TEST_F(RollTest, SlotThatWasRestartedDuringTheRollIsNotRolledAgain) {
  Boot(2);
  Give("reload");
  Dies({1, 2});
  Ready(Incumbent(1));
  Turn(0);
  EXPECT_THAT(Told(), ElementsAre("slot 0: done 1/2", "slot 1: done 2/2"));
  EXPECT_EQ(LastAnswer(), "done: rolled 2 slots");
}

TEST_F(RollTest, SuccessorTakesOverWhenTheIncumbentDiesFirst) {
  Boot(1);
  Give("reload");
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: killed by SIGSEGV; its successor, "
                                      "generation 2, is on its way"));
  Ready({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "live 0 on"));
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(RollTest, BothDeadMeansAbortAndRestartPolicy) {
  Boot(1);
  Give("reload");
  Dies({0, 1});
  Dies({0, 2});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted"));
  Pass(options_.restarts.backoff_first);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
}

TEST_F(RollTest, StuckIncumbentIsKilledWhileItsSuccessorStarts) {
  Boot(1);
  Give("reload");
  Observed({0, 1}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "kill 0/1 stuck"));
  Ready({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "live 0 on"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(RollTest, OldWorkerThatDoesNotLeaveIsKilledAndTheRollGoesOn) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 late-exit"));
  EXPECT_THAT(Told(), ElementsAre("slot 0: generation 1 did not leave within 10s and is killed"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_EQ(LastAnswer(), "done: rolled 1 slot; 1 old worker had to be killed after 10s");
}

TEST_F(RollTest, ReloadsDuringARollShareTheNextOne) {
  Boot(1);
  const CommandId first = Give("reload");
  const CommandId second = Give("reload");
  const CommandId third = Give("reload");
  Turn(0);
  EXPECT_THAT(Answer(first), HasSubstr("done"));
  EXPECT_EQ(Answer(second), "");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
  Turn(0);
  EXPECT_THAT(Answer(second), HasSubstr("done"));
  EXPECT_EQ(Answer(second), Answer(third));
  EXPECT_FALSE(supervisor_->rolling());
}

TEST_F(RollTest, QueuedRollRunsEvenWhenTheCurrentOneAborts) {
  Boot(1);
  Give("reload");
  const CommandId second = Give("reload");
  Dies({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
  Turn(0);
  EXPECT_THAT(Answer(second), HasSubstr("done"));
}

TEST_F(RollTest, SlotsAddedDuringTheRollAreNewAlready) {
  Boot(1);
  const CommandId reload = Give("reload");
  Give("scale 2");
  Ready({1, 3});
  Turn(0);
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
}

TEST_F(RollTest, RetiredSlotsLeaveTheRoll) {
  Boot(3);
  const CommandId reload = Give("reload");
  Give("scale 1");
  Turn(0);
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
  EXPECT_THAT(Told(), Contains("slot 0: done 1/1"));
}

TEST_F(RollTest, RetiringTheSlotAtTurnMovesTheRollOn) {
  Boot(2);
  const CommandId reload = Give("reload");
  Turn(0);
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 hand-over to 0/3", "kill 1/4 aborted"));
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
}

TEST_F(RollTest, StopAbortsTheRoll) {
  Boot(1);
  const CommandId reload = Give("reload");
  Give("stop");
  EXPECT_EQ(Answer(reload), "failed: the cluster is stopping");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt", "kill 0/2 stop-now"));
}

}  // namespace
}  // namespace uc::policy
