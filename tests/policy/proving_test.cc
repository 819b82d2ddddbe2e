// How a successor proves itself before its incumbent is asked to leave: probe, admission, soak.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProbeTest : public ClusterStory {
 protected:
  void SetUp() override { options_.probing = true; }
};

TEST_F(ProbeTest, SuccessorIsProbedThenAdmittedThenTakesOver) {
  Boot(1);
  const CommandId reload = Give("reload");
  Ready({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("probe 0/2"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 1})) << "nothing happens to it before the answer";
  ProbePasses({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
  Leaves({0, 1});
  EXPECT_THAT(Answer(reload), HasSubstr("done"));
}

TEST_F(ProbeTest, FirstWorkersAreNotProbed) {
  Start(1);
  Ready({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
}

TEST_F(ProbeTest, FailedProbeAbortsTheRollWithItsReason) {
  Boot(2);
  const CommandId reload = Give("reload");
  Ready({0, 3});
  ProbeFails({0, 3}, "500\nInternal Server Error");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 aborted"));
  EXPECT_EQ(Answer(reload),
            "failed: roll aborted at slot 0: 500 Internal Server Error; 0 of 2 slots already run "
            "the new generation, all others are untouched");
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(At(0).restart_count, 0u);
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(ProbeTest, UnansweredProbeAbortsTheRollAfterTheListenTimeout) {
  Boot(1);
  Give("reload");
  Pass(absl::Seconds(3));
  Ready({0, 2});
  Pass(options_.listen_timeout - absl::Milliseconds(1));
  EXPECT_THAT(Asked(), IsEmpty()) << "READY began a new deadline";
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("kill 0/2 late-ready"));
  EXPECT_THAT(LastAnswer(), HasSubstr("its probe was not answered within 10s"));
}

TEST_F(ProbeTest, AnswersThatNobodyWaitsForAreIgnoredAndCounted) {
  Boot(1);
  Give("reload");
  ProbePasses({0, 2});  // before READY
  Ready({0, 2});
  Pass(options_.listen_timeout);
  ProbePasses({0, 2});  // after its time
  ProbePasses({0, 1});  // of the incumbent
  ProbeFails({7, 9});   // of nobody
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(supervisor_->events_ignored(), 4u);
  EXPECT_TRUE(Serving(0));
}

TEST_F(ProbeTest, SuccessorThatDiesDuringItsProbeAborts) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Dies({0, 2});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0: generation 2, just ready: "
                                      "killed by SIGSEGV"));
  ProbePasses({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(ProbeTest, OnlyHopeIsProbedAllTheSameAndServesAtOnceThen) {
  options_.soak = absl::Seconds(5);
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Dies({0, 1});
  EXPECT_THAT(Live(), IsEmpty());
  ProbePasses({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "live 0 on"));
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(ProbeTest, OnlyHopeThatFailsItsProbeIsAQuickDeath) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Pass(absl::Minutes(1));
  Give("reload");
  Ready({0, 3});
  Dies({0, 1});
  ProbeFails({0, 3});
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_EQ(At(0).restarts.quick_deaths(), 1);
}

TEST_F(ProbeTest, ProvingWorkerIsNotJudgedByItsHeartbeat) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Observed({0, 2}, Health::kStuck);
  EXPECT_THAT(Asked(), IsEmpty()) << "it has the deadline of its probe";
}

TEST_F(ProbeTest, StopKillsWhoStillProvesItself) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt", "kill 0/2 stop-now"));
}

class SettleTest : public ClusterStory {
 protected:
  void SetUp() override {
    options_.probing = true;
    options_.settle = absl::Seconds(1);
  }
};

TEST_F(SettleTest, SuccessorIsAdmittedWhenItHasBeenReadyForSoLong) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  ProbePasses({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(supervisor_->NextDeadline(), now_ + absl::Seconds(1));
  Pass(absl::Milliseconds(999));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
}

TEST_F(SettleTest, SlowAnswerToItsProbeIsTheLonger) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Pass(absl::Seconds(5));
  EXPECT_THAT(Asked(), IsEmpty());
  ProbePasses({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
}

TEST_F(SettleTest, WithoutAProbeAsWell) {
  options_.probing = false;
  Boot(1);
  Give("reload");
  Ready({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
}

TEST_F(SettleTest, DeathMeanwhileAbortsAndTheIncumbentIsUntouched) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  ProbePasses({0, 2});
  Pass(absl::Milliseconds(500));
  Dies({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0: generation 2, just ready"));
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(SettleTest, OnlyHopeDoesNotSettle) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  ProbePasses({0, 2});
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "admit 0/2", "live 0 on"));
}

TEST_F(SettleTest, FirstWorkersDoNotSettle) {
  Start(1);
  Ready({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
}

class SoakTest : public ClusterStory {
 protected:
  void SetUp() override { options_.soak = absl::Seconds(3); }
  // Both serve in slot 0.
  void Soak() {
    Boot(2);
    Give("reload");
    Ready({0, 3});
  }
};

TEST_F(SoakTest, SuccessorServesBesideItsIncumbentForTheSoak) {
  Soak();
  EXPECT_THAT(Asked(), ElementsAre("admit 0/3"));
  Pass(absl::Seconds(2));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 hand-over to 0/3"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 3}));
}

TEST_F(SoakTest, DeathWithinTheSoakAbortsAndTheIncumbentIsUntouched) {
  Soak();
  Pass(absl::Seconds(2));
  Dies({0, 3});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0: generation 3, just ready: "
                                      "killed by SIGSEGV; 0 of 2"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 1}));
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(SoakTest, StuckWithinTheSoakAborts) {
  Soak();
  Observed({0, 3}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 stuck"));
  EXPECT_THAT(LastAnswer(), HasSubstr("stuck, though it had been ready"));
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(SoakTest, SuspectBeginsItsSoakAnewWhenItAnswersAgain) {
  Soak();
  Pass(absl::Seconds(2));
  Observed({0, 3}, Health::kSuspect);
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 3: silent while work waits for it; its "
                                      "soak begins anew"));
  Pass(absl::Seconds(60));
  Observed({1, 2}, Health::kWell);  // something that wakes the supervisor
  EXPECT_THAT(Asked(), IsEmpty()) << "silence is no soak";
  Observed({0, 3}, Health::kWell);
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(3));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 hand-over to 0/3"));
}

TEST_F(SoakTest, StarvedIsNoReasonToBeginAnew) {
  Soak();
  Pass(absl::Seconds(2));
  Observed({0, 3}, Health::kStarved);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 hand-over to 0/3"));
}

TEST_F(SoakTest, IncumbentThatDiesMeanwhileIsFollowedAtOnce) {
  Soak();
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 0 on", "spawn 1/4 on-admission"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 3}));
}

TEST_F(SoakTest, RetiredSlotEndsItsSoakAndServesItsGraceWithTheOldWorker) {
  options_.retire_grace = absl::Seconds(1);
  Boot(2);
  const CommandId reload = Give("reload");
  Ready({0, 3});
  Pass(absl::Seconds(3));
  Leaves({0, 1});
  Ready({1, 4});
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/4 hand-over to 1/2"));
  EXPECT_THAT(Answer(reload), HasSubstr("done: rolled 1 slot"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 1/2 hand-over to 0/3"));
}

TEST_F(SoakTest, SlotWhoseSuccessorWasSentAwayIsServedAnewWhenTheIncumbentDies) {
  Boot(2);
  options_.roll_width = 1;
  Give("reload");
  Ready({0, 3});
  Give("scale 3");
  Ready({2, 4});
  Observed({0, 3}, Health::kStuck);  // aborts; it takes its time to die
  Pass(absl::Minutes(1));
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/5"));
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
}

}  // namespace
}  // namespace uc::policy
