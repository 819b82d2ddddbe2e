// What the end of a worker's program does: the worker stays, keeps its clients, and starts the
// program again.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ProgramTest : public ClusterStory {
 protected:
  bool Restarting(SlotIndex slot) const {
    const std::optional<Worker>& incumbent = At(slot).incumbent;
    return incumbent.has_value() && incumbent->state == WorkerState::kRestarting;
  }
  // All READY, and for long enough that the end of a program is no quick death.
  void BootLong(uint32_t workers) {
    BootKept(workers);
    Pass(absl::Minutes(1));
  }
  // The program of slot 0's first worker has ended for the second time, and waits for 100 ms.
  void BootBackingOff(uint32_t workers) {
    BootKept(workers);
    ProgramDies({0, 1});
    ProgramDies({0, 1});
    ASSERT_TRUE(Restarting(0));
    ASSERT_THAT(Asked(), IsEmpty());
  }
};

TEST_F(ProgramTest, IsStartedAgainAtOnceAndInPlace) {
  BootLong(2);
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "start program 0/1"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: its program was killed by SIGSEGV; "
                                      "restarted at once"));
  EXPECT_TRUE(Restarting(0));
  EXPECT_EQ(At(0).restart_count, 1u);
  EXPECT_EQ(At(0).failure, "its program was killed by SIGSEGV");
  Ready({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
  EXPECT_TRUE(Serving(0));
  EXPECT_EQ(At(0).restarts.quick_deaths(), 0);
}

TEST_F(ProgramTest, LivesAnewWithEachStart) {
  BootLong(1);
  ProgramDies({0, 1});
  Ready({0, 1});
  ProgramDies({0, 1});
  EXPECT_EQ(At(0).restarts.quick_deaths(), 1);
  Ready({0, 1});
  Pass(absl::Minutes(1));
  ProgramDies({0, 1});
  EXPECT_EQ(At(0).restarts.quick_deaths(), 0);
  EXPECT_EQ(At(0).restart_count, 3u);
}

TEST_F(ProgramTest, QuickDeathsBackOffAndAreErroredButNeverGivenUp) {
  options_.restarts.restarts_max = 4;
  Boot(1);
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  ProgramExits({0, 1}, 1);
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: its program exited with code 1; next "
                                      "try in 100ms (2 quick deaths)"));
  Pass(absl::Milliseconds(99));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  ProgramDies({0, 1}, "did not listen within 10s");
  Pass(absl::Milliseconds(150));
  ProgramDies({0, 1});
  EXPECT_THAT(Reported(), ElementsAre(HasSubstr("next try in 15s (4 quick deaths, errored")));
  Pass(absl::Seconds(15));
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  Pass(absl::Hours(24));
  EXPECT_THAT(Asked(), IsEmpty()) << "the worker says when it has taken too long";
}

TEST_F(ProgramTest, RestartDelayIsKept) {
  options_.restarts.restart_delay = absl::Seconds(3);
  BootLong(1);
  ProgramDies({0, 1});
  EXPECT_EQ(supervisor_->NextDeadline(), now_ + absl::Seconds(3));
  Pass(absl::Seconds(3));
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
}

TEST_F(ProgramTest, OnlySoManyStartAtATime) {
  options_.starting_max = 2;
  Start(2);
  for (SlotIndex slot : {0, 1}) Ready(Incumbent(slot));
  Give("scale 3");
  Pass(absl::Seconds(5));
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), Contains("start program 0/1"));
  ProgramDies({1, 2});
  EXPECT_THAT(Asked(), Not(Contains("start program 1/2"))) << "2/3 starts as well";
  Ready({0, 1});
  EXPECT_THAT(Asked(), Contains("start program 1/2"));
}

// --- Who gets new connections, and who accepts ---

TEST_F(ProgramTest, OnlySlotStaysLive) {
  BootLong(1);
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(ProgramTest, AllStayLiveWhenNobodyServes) {
  BootLong(2);
  ProgramDies({0, 1});
  ProgramDies({1, 2});
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off"));
}

TEST_F(ProgramTest, SuspectIsBetterThanOneThatRestarts) {
  BootLong(2);
  Observed({1, 2}, Health::kSuspect);
  ProgramDies({0, 1});
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(ProgramTest, NobodyStandsInForOneThatRestarts) {
  BootLong(2);
  ProgramDies({0, 1});
  EXPECT_THAT(StandIns(), IsEmpty());
  Observed({0, 1}, Health::kSuspect);
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/2"));
  Observed({0, 1}, Health::kWell);
  EXPECT_THAT(StandIns(), IsEmpty());
}

TEST_F(ProgramTest, StandInThatRestartsGivesPlaceToOneThatServes) {
  options_.restarts.restart_delay = absl::Hours(1);
  BootLong(3);
  Dies({0, 1});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/2"));
  ProgramDies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "release 0 by 1/2", "adopt 0 by 2/3"));
  ProgramDies({2, 3});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 2/3")) << "nobody is better";
}

TEST_F(ProgramTest, WorkerThatIsStuckIsReplaced) {
  options_.restarts.restart_delay = absl::Seconds(3);
  BootLong(1);
  ProgramDies({0, 1});
  Observed({0, 1}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "kill 0/1 stuck"));
  Dies({0, 1});
  Pass(absl::Seconds(3));
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
}

TEST_F(ProgramTest, WorkerThatDiesMeanwhileIsAQuickDeath) {
  BootLong(1);
  ProgramDies({0, 1});
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/2"));
  EXPECT_EQ(At(0).restarts.quick_deaths(), 1);
}

TEST_F(ProgramTest, DoesNotCountAsServing) {
  BootLong(2);
  ProgramDies({0, 1});
  Give("ping");
  EXPECT_EQ(LastAnswer(), "done: pong: 1 of 2 workers serving");
}

// --- It stays down ---

TEST_F(ProgramTest, CodeThatMeansDoneSendsItsWorkerAway) {
  options_.restarts.stop_exit_codes = {3};
  BootLong(2);
  ProgramExits({0, 1}, 3);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt to 1/2", "adopt 0 by 1/2"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: its program exited with code 3; it "
                                      "stays down until restart, reload or scale "
                                      "(--stop-exit-codes)"));
  EXPECT_EQ(At(0).failure, "");
  Leaves({0, 1});
  Pass(absl::Hours(24));
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(At(0).stopped_by.has_value());
  Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
}

TEST_F(ProgramTest, WithoutAutorestartItsEndIsTheEndOfIt) {
  options_.restarts.autorestart = false;
  BootLong(1);
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt"));
  EXPECT_THAT(Reported(), ElementsAre(HasSubstr("(--no-autorestart)")));
  EXPECT_EQ(At(0).failure, "its program was killed by SIGSEGV");
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("evacuate 0"));
  EXPECT_FALSE(finish().has_value());
}

TEST_F(ProgramTest, RestartWhileItsWorkerLeavesWakesTheSlot) {
  options_.restarts.autorestart = false;
  BootLong(1);
  ProgramDies({0, 1});
  const CommandId restart = Give("restart 0");
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
  Ready({0, 2});
  EXPECT_EQ(Answer(restart), "done: restarted 1 slot; 1 of 1 worker serving");
}

TEST_F(ProgramTest, WithoutAutorestartASuccessorOnItsWayIsWaitedFor) {
  options_.restarts.autorestart = false;
  BootLong(1);
  const CommandId reload = Give("reload");
  ProgramDies({0, 1});
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Restarting(0));
  Ready({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
  Leaves({0, 1});
  EXPECT_THAT(Answer(reload), HasSubstr("done"));
}

TEST_F(ProgramTest, WithoutAutorestartTheSlotIsDownWhenItsSuccessorFails) {
  options_.restarts.autorestart = false;
  BootLong(1);
  Give("reload");
  ProgramDies({0, 1});
  Dies({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt"));
  EXPECT_TRUE(At(0).stopped_by.has_value());
  Leaves({0, 1});
  Pass(absl::Hours(24));
  EXPECT_THAT(Asked(), IsEmpty());
}

// --- Commands ---

TEST_F(ProgramTest, RollRenewsItsWorkerAndTheSuccessorDoesNotSoak) {
  options_.soak = absl::Seconds(3);
  BootBackingOff(1);
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2 on-admission"));
  Ready({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
  EXPECT_EQ(At(0).leaving->state, WorkerState::kDraining);
  Leaves({0, 1});
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(ProgramTest, ThatEndsDuringTheSoakIsStartedAgainAndTheSoakGoesOn) {
  options_.soak = absl::Seconds(3);
  BootLong(1);
  const CommandId reload = Give("reload");
  Ready({0, 2});
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  EXPECT_THAT(Live(), ElementsAre(0));
  Pass(absl::Seconds(2));
  Ready({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Serving(0));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 hand-over to 0/2"));
  Leaves({0, 1});
  EXPECT_EQ(Answer(reload), "done: rolled 1 slot");
}

TEST_F(ProgramTest, ThatEndsBeforeTheSuccessorHasSettledIsStartedAgain) {
  options_.settle = absl::Seconds(1);
  BootLong(1);
  Give("reload");
  Ready({0, 2});
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("admit 0/2", "drain 0/1 hand-over to 0/2"));
}

TEST_F(ProgramTest, ThatBacksOffDuringTheSoakMakesWayAtOnce) {
  options_.soak = absl::Seconds(3);
  BootKept(1);
  Give("reload");
  Ready({0, 2});
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
  ProgramDies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 hand-over to 0/2"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 2}));
}

TEST_F(ProgramTest, SilentSuccessorOfOneThatBacksOffIsNotTheHeirWhileOthersAnswer) {
  for (const uint32_t workers : {1, 2}) {
    options_.soak = absl::Seconds(3);
    BootKept(workers);
    Give("reload");
    const WorkerId successor = Successor(0);
    Ready(successor);
    Observed(successor, Health::kSuspect);
    ProgramDies({0, 1});
    ProgramDies({0, 1});
    EXPECT_THAT(Asked(), Contains(workers == 1 ? "drain 0/1 hand-over to 0/2"
                                               : "drain 0/1 hand-over to 1/2"));
  }
}

TEST_F(ProgramTest, OfASuccessorThatSoaksBesideOneThatRestartsSendsItAway) {
  options_.soak = absl::Seconds(3);
  BootLong(1);
  const CommandId reload = Give("reload");
  Ready({0, 2});
  ProgramDies({0, 1});
  ProgramExits({0, 2}, 1);
  EXPECT_THAT(Asked(), ElementsAre("drain 0/2 hand-over to 0/1")) << "it keeps what it gets";
  EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0"));
  Ready({0, 1});
  Leaves({0, 2});
  EXPECT_TRUE(Serving(0));
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(ProgramTest, WhenTheRollIsAbortedTheSuccessorServesUntilItDoesAgain) {
  options_.soak = absl::Seconds(3);
  options_.roll_width = 2;
  BootLong(2);
  Give("reload");
  Ready({0, 3});
  ProgramDies({0, 1});
  Dies({1, 4});
  EXPECT_THAT(LastAnswer(), HasSubstr("; 0 of 2 slots already run the new generation, 1 more "
                                      "gets it because the old worker does not serve, "
                                      "all others are untouched"));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(5));
  EXPECT_THAT(Asked(), IsEmpty()) << "it does not soak any more";
  Ready({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("drain 0/3 hand-over to 0/1", "live 0 on"));
  EXPECT_EQ(Incumbent(0), (WorkerId{0, 1}));
}

TEST_F(ProgramTest, WhenTheRollIsAbortedTheSuccessorFollowsOneThatBacksOff) {
  options_.soak = absl::Seconds(3);
  options_.roll_width = 2;
  BootLong(2);
  Give("reload");
  Ready({0, 3});
  ProgramDies({0, 1});
  Dies({1, 4});
  ProgramDies({0, 1}, "did not listen within 10s");
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1")) << "the first quick death";
  ProgramDies({0, 1}, "did not listen within 10s");
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "drain 0/1 hand-over to 0/3"));
}

TEST_F(ProgramTest, OfASoakingSuccessorAbortsTheRoll) {
  options_.soak = absl::Seconds(3);
  BootLong(1);
  const CommandId reload = Give("reload");
  Ready({0, 2});
  ProgramExits({0, 2}, 1);
  EXPECT_THAT(Asked(), ElementsAre("drain 0/2 hand-over to 0/1"));
  EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0: generation 2, just ready: "
                                        "its program exited with code 1"));
  Leaves({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_TRUE(Serving(0));
}

TEST_F(ProgramTest, OfASuccessorThatProvesItselfAbortsTheRoll) {
  options_.probing = true;
  options_.settle = absl::Seconds(1);
  for (const bool answered : {false, true}) {
    SCOPED_TRACE(answered);
    BootLong(1);
    const CommandId reload = Give("reload");
    Ready({0, 2});
    if (answered) ProbePasses({0, 2});
    Pass(absl::Milliseconds(500));
    ProgramExits({0, 2}, 1);
    EXPECT_THAT(Asked(), ElementsAre("kill 0/2 aborted")) << "it has no clients";
    EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0: generation 2, just "
                                          "ready: its program exited with code 1"));
    Dies({0, 2}, "killed by SIGKILL");
    Pass(absl::Minutes(1));
    EXPECT_THAT(Asked(), IsEmpty());
    EXPECT_TRUE(Serving(0));
    EXPECT_EQ(At(0).restart_count, 0u);
  }
}

TEST_F(ProgramTest, OfAnOnlyHopeThatProvesItselfMakesWayForTheNextAtOnce) {
  options_.probing = true;
  BootLong(1);
  Give("reload");
  Ready({0, 2});
  Dies({0, 1});
  ProgramExits({0, 2}, 1);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/2 aborted", "spawn 0/3")) << "nobody serves";
  Dies({0, 2}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(ProgramTest, OfTheNewIncumbentAbortsTheRoll) {
  BootLong(2);
  const CommandId reload = Give("reload");
  Ready({0, 3});
  ProgramDies({0, 3});
  EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0"));
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "start program 0/3"));
  Leaves({0, 1});
  Ready({0, 3});
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(ProgramTest, IsStillToBeStartedWhenTheRollIsAborted) {
  BootBackingOff(2);
  Give("reload");
  Dies(Successor(0));
  EXPECT_TRUE(Restarting(0));
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Asked(), ElementsAre("start program 0/1"));
}

TEST_F(ProgramTest, RestartReplacesItsWorker) {
  BootBackingOff(2);
  const CommandId restart = Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 prompt to 1/2", "adopt 0 by 1/2"));
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
  Ready({0, 3});
  EXPECT_EQ(Answer(restart), "done: restarted 1 slot; 2 of 2 workers serving");
}

TEST_F(ProgramTest, StopSendsItsWorkerAway) {
  BootBackingOff(1);
  Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), IsEmpty());
  ProgramDies({0, 1});
  Leaves({0, 1});
  EXPECT_TRUE(finish().has_value());
}

TEST_F(ProgramTest, GracefulStopSendsItsWorkerAway) {
  BootBackingOff(1);
  Give("stop graceful");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 hand-over"));
  Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 prompt"));
}

TEST_F(ProgramTest, StopAtOnceKillsItsWorker) {
  BootBackingOff(1);
  Give("stop now");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "kill 0/1 stop-now"));
}

TEST_F(ProgramTest, WorkerThatDoesNotLeaveIsKilled) {
  BootBackingOff(1);
  Give("restart 0");
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 late-exit"));
}

TEST_F(ProgramTest, OfARetiringSlotGoesWithItsWorkersGrace) {
  options_.retire_grace = absl::Seconds(1);
  BootLong(2);
  ProgramDies({1, 2});
  const CommandId scale = Give("scale 1");
  EXPECT_THAT(Asked(), IsEmpty()) << "connections may be on their way";
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("drain 1/2 hand-over to 0/1", "adopt 1 by 0/1"));
  Leaves({1, 2});
  EXPECT_EQ(Answer(scale), "done: 1 of 1 worker serving");
}

TEST_F(ProgramTest, SlotThatWasToBeRetiredServesInItsStead) {
  options_.restarts.restart_delay = absl::Seconds(1);
  options_.retire_grace = absl::Minutes(1);
  BootLong(2);
  const CommandId scale = Give("scale 1");
  ProgramDies({0, 1});
  EXPECT_THAT(Live(), ElementsAre(1));
  Pass(absl::Hours(1));
  EXPECT_TRUE(Serving(1));
  ProgramDies({0, 1}, "did not listen within 10s");
  EXPECT_THAT(Answer(scale),
              HasSubstr("failed: slot 0 failed to start: its program did not listen"));
  Pass(absl::Minutes(1));
  Ready({0, 1});
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(ProgramTest, RetiringSlotThatRestartsToo) {
  BootLong(2);
  ProgramDies({0, 1});
  ProgramDies({1, 2});
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 hand-over"));
  EXPECT_THAT(Live(), ElementsAre(0));
}

TEST_F(ProgramTest, ScaleWaitsForASlotThatIsWantedAgain) {
  options_.retire_grace = absl::Minutes(1);
  BootLong(2);
  Give("scale 1");
  ProgramDies({1, 2});
  const CommandId scale = Give("scale 2");
  EXPECT_EQ(Answer(scale), "");
  Ready({1, 2});
  EXPECT_EQ(Answer(scale), "done: 2 of 2 workers serving");
}

TEST_F(ProgramTest, WorkerIsNotRecycledMeanwhile) {
  BootLong(1);
  ProgramDies({0, 1});
  Due({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
  Ready({0, 1});
  Due({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2 on-admission"));
}

TEST_F(ProgramTest, StartIsNotOverBeforeItServes) {
  options_.restarts.restart_delay = absl::Seconds(1);
  Start(2);
  Ready({0, 1});
  ProgramExits({0, 1}, 1);
  Ready({1, 2});
  EXPECT_EQ(StartToldAs(), "");
  Pass(options_.listen_timeout);
  EXPECT_EQ(StartToldAs(), "1 of 2 serve; slot 0: its program exited with code 1");
}

// --- What is ignored ---

TEST_F(ProgramTest, OfAWorkerThatStartsOrLeavesIsIgnored) {
  Start(1);
  ProgramDies({0, 1});
  Ready({0, 1});
  Give("reload");
  ProgramDies({0, 2});
  Ready({0, 2});
  ProgramDies({0, 1});  // it drains
  ProgramDies({7, 70});
  EXPECT_EQ(supervisor_->events_ignored(), 4u);
  EXPECT_TRUE(Serving(0));
}

TEST_F(ProgramTest, WhatWasNotStartedCannotEnd) {
  BootBackingOff(1);
  ProgramDies({0, 1});
  EXPECT_EQ(supervisor_->events_ignored(), 1u);
  EXPECT_EQ(At(0).restarts.quick_deaths(), 2);
}

// --- A new coordinator ---

class ProgramResumeTest : public ProgramTest {
 protected:
  void Found(WorkerId worker, WorkerState state) {
    legacy_.workers.push_back({worker, state, now_ - absl::Hours(1), {}});
    legacy_.workers_wanted = std::max(legacy_.workers_wanted, worker.slot + 1);
    legacy_.listeners = {worker.slot};
  }
};

TEST_F(ProgramResumeTest, HasTheProgramStarted) {
  Found({0, 7}, WorkerState::kRestarting);
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "start program 0/7"));
  ProgramDies({0, 7});
  EXPECT_TRUE(Restarting(0));
  EXPECT_EQ(At(0).restarts.quick_deaths(), 1);
}

TEST_F(ProgramResumeTest, TakesTheSlotOffWhereOthersServe) {
  Found({0, 7}, WorkerState::kRestarting);
  Found({1, 8}, WorkerState::kServing);
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 1 on", "start program 0/7"));
  Ready({0, 7});
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(ProgramResumeTest, HasTheProgramStartedEvenWithoutAutorestart) {
  options_.restarts.autorestart = false;
  Found({0, 7}, WorkerState::kRestarting);
  Resume();
  EXPECT_THAT(Asked(), Contains("start program 0/7"));
}

TEST_F(ProgramResumeTest, OfTwoTheOneThatServesStays) {
  for (const Generation restarting : {7, 9}) {
    legacy_ = {};
    Found({0, 16 - restarting}, WorkerState::kServing);
    Found({0, restarting}, WorkerState::kRestarting);
    Resume();
    EXPECT_EQ(Incumbent(0), (WorkerId{0, 16 - restarting}));
    EXPECT_EQ(Leaving(0), (WorkerId{0, restarting}));
    EXPECT_THAT(Asked(), Not(Contains(HasSubstr("start program"))));
  }
}

TEST_F(ProgramResumeTest, LeavesASlotDownWhoseWorkerIsStillLeaving) {
  Found({0, 7}, WorkerState::kDraining);
  Found({1, 8}, WorkerState::kServing);
  legacy_.stopped = {0};
  Resume();
  EXPECT_THAT(Asked(), Not(Contains(HasSubstr("spawn"))));
  Leaves({0, 7});
  EXPECT_THAT(Asked(), IsEmpty());
}

}  // namespace
}  // namespace uc::policy
