// Each rule about an action is seen to fall.
#include "tests/sim/doctored_cluster.h"

namespace uc::sim {
namespace {

using policy::Actions;
using policy::DrainKind;
using policy::Health;
using policy::Woke;
using ::testing::HasSubstr;
using ::testing::Not;

using ActionRulesTest = DoctoredCluster;

TEST_F(ActionRulesTest, ActionNamesALivingWorker) {
  Boot(2);
  EXPECT_THAT(With(policy::Kill{kNobody}), Falls("ActionNamesALivingWorker"));
  EXPECT_THAT(With(policy::Drain{kNobody}), Falls("ActionNamesALivingWorker"));
  Holds(Seen(kFirst, Health::kStuck));
  EXPECT_THAT(With(policy::Kill{kFirst}), Falls("ActionNamesALivingWorker"));
}

TEST_F(ActionRulesTest, GenerationsAreNew) {
  Boot(2);
  EXPECT_THAT(With(policy::Spawn{{0, 2}}), Falls("GenerationsAreNew"));
}

TEST_F(ActionRulesTest, RebirthKillsNobodyReady) {
  Boot(1);
  const policy::Legacy legacy = {1, 1, {{kFirst}}, {}, {}};
  EXPECT_THAT(Reborn(legacy, legacy,
                     [](Actions* actions) {
                       *actions = {policy::Kill{kFirst, policy::KillReason::kAborted}};
                     }),
              Falls("RebirthKillsNobodyReady"));
}

TEST_F(ActionRulesTest, ServingWorkersAreNotKilled) {
  Boot(2);
  EXPECT_THAT(With(policy::Kill{kFirst, policy::KillReason::kAborted}),
              Falls("ServingWorkersAreNotKilled"));
}

TEST_F(ActionRulesTest, NobodyIsKilledBeforeHisTime) {
  Boot(2);
  Holds(Given(policy::Reload{}));
  now_ += options_.listen_timeout - absl::Milliseconds(1);
  EXPECT_THAT(With(policy::Kill{{0, 3}, policy::KillReason::kLateReady}),
              Falls("NobodyIsKilledBeforeHisTime"));
  Boot(2);
  Holds(Given(policy::Restart{0}));
  now_ += options_.kill_timeout - absl::Milliseconds(1);
  EXPECT_THAT(With(policy::Kill{kFirst, policy::KillReason::kLateExit}),
              Falls("NobodyIsKilledBeforeHisTime"));
}

TEST_F(ActionRulesTest, AbortedRollLeavesTheOldUntouched) {
  Boot(2);
  Holds(Given(policy::Reload{}));
  EXPECT_THAT(With(policy::Drain{kFirst, DrainKind::kPrompt, {}, {kSecond}}, Death({0, 3})),
              Falls("AbortedRollLeavesTheOldUntouched"));
}

TEST_F(ActionRulesTest, SuccessorIsNotLetInWithoutProof) {
  options_.probing = true;
  Boot(2);
  EXPECT_THAT(With(policy::Spawn{{0, 9}, policy::Entry::kAtOnce}),
              Falls("SuccessorsProveThemselves"));
  EXPECT_THAT(With(policy::Probe{kFirst}), Falls("SuccessorsProveThemselves"));
}

TEST_F(ActionRulesTest, ProbeIsWaitedFor) {
  options_.probing = true;
  Boot(1);
  Holds(Given(policy::Reload{}));
  EXPECT_THAT(With(policy::Admit{{0, 2}}, policy::WorkerReady{{0, 2}}),
              Falls("SuccessorsProveThemselves"));
}

TEST_F(ActionRulesTest, SuccessorSettlesFirst) {
  options_.settle = absl::Seconds(2);
  Boot(1);
  Holds(Given(policy::Reload{}));
  Holds(policy::WorkerReady{{0, 2}});
  now_ += absl::Seconds(1);
  EXPECT_THAT(With(policy::Admit{{0, 2}}), Falls("SuccessorsProveThemselves"));
}

TEST_F(ActionRulesTest, WorkerThatComesAloneNeedsNoAdmission) {
  Boot(2);
  EXPECT_THAT(Doctored(Death(kFirst),
                       [](Actions* actions) {
                         for (policy::Action& action : *actions) {
                           auto* spawn = std::get_if<policy::Spawn>(&action);
                           if (spawn != nullptr) spawn->entry = policy::Entry::kOnAdmission;
                         }
                       }),
              Falls("SuccessorsProveThemselves"));
}

TEST_F(ActionRulesTest, HandOverHasASuccessor) {
  Boot(2);
  EXPECT_THAT(With(policy::Drain{kFirst, DrainKind::kHandOver}), Falls("HandOverHasASuccessor"));
}

TEST_F(ActionRulesTest, HandOverComesAfterTheSoak) {
  options_.soak = absl::Seconds(2);
  Boot(1);
  Holds(Given(policy::Reload{}));
  Holds(policy::WorkerReady{{0, 2}});
  now_ += absl::Seconds(1);
  EXPECT_THAT(With(policy::Drain{kFirst, DrainKind::kHandOver, {}, {{0, 2}}}),
              Falls("HandOverComesAfterTheSoak"));
}

TEST_F(ActionRulesTest, SilentSuccessorTakesNothingOver) {
  options_.soak = absl::Seconds(2);
  Boot(1);
  Holds(Given(policy::Reload{}));
  Holds(policy::WorkerReady{{0, 2}});
  Holds(Seen({0, 2}, Health::kSuspect));
  now_ += absl::Seconds(3);
  const std::string wrong = With(policy::Drain{kFirst, DrainKind::kHandOver, {}, {{0, 2}}});
  EXPECT_THAT(wrong, Falls("HandOverComesAfterTheSoak"));
  EXPECT_THAT(wrong, HasSubstr("silent"));
}

TEST_F(ActionRulesTest, NewCoordinatorLetsASuccessorSoakAnew) {
  options_.soak = absl::Seconds(2);
  Boot(1);
  const policy::Legacy legacy = {1, 2, {{kFirst}, {{0, 2}}}, {}, {}};
  EXPECT_THAT(
      Reborn(legacy, legacy,
             [](Actions* actions) {
               actions->push_back(policy::Drain{kFirst, DrainKind::kHandOver, {}, {{0, 2}}});
             }),
      Falls("HandOverComesAfterTheSoak"));
}

TEST_F(ActionRulesTest, SuccessorThatDidNotAnswerTakesNothingOver) {
  Boot(1);
  policy::Legacy legacy = {1, 2, {{kFirst}, {{0, 2}}}, {}, {}};
  const policy::Legacy belief = legacy;
  legacy.workers[1].answered = false;
  EXPECT_THAT(Reborn(legacy, belief, [](Actions*) {}), Falls("HandOverComesAfterTheSoak"));
}

TEST_F(ActionRulesTest, RebirthDoesNotKillTheOnlyOneThatServes) {
  Boot(1);
  const policy::Legacy legacy = {1,
                                 3,
                                 {{kFirst},
                                  {{0, 2}, policy::WorkerState::kStarting},
                                  {{0, 3}, policy::WorkerState::kStarting}},
                                 {},
                                 {}};
  EXPECT_THAT(Reborn(legacy, legacy,
                     [](Actions* actions) {
                       *actions = {policy::Kill{kFirst, policy::KillReason::kAborted}};
                     }),
              Falls("RebirthKillsNobodyReady"));
}

TEST_F(ActionRulesTest, HeirsServe) {
  Boot(2);
  EXPECT_THAT(With(policy::Drain{kFirst, DrainKind::kPrompt, {}, {kNobody}}), Falls("HeirsServe"));
  EXPECT_THAT(With(policy::Drain{kSecond, DrainKind::kPrompt, {}, {kSecond}}), Falls("HeirsServe"));
}

TEST_F(ActionRulesTest, NobodyInheritsTwice) {
  Boot(2);
  EXPECT_THAT(With(policy::Drain{kFirst, DrainKind::kPrompt, {}, {kSecond, kSecond}}),
              Falls("HeirsServe"));
}

TEST_F(ActionRulesTest, HandOverHasHeirs) {
  Boot(2);
  EXPECT_THAT(Doctored(Given(policy::Scale{{}, 1}),
                       [](Actions* actions) {
                         for (policy::Action& action : *actions) {
                           auto* drain = std::get_if<policy::Drain>(&action);
                           if (drain != nullptr) drain->heirs.clear();
                         }
                       }),
              Falls("HandOverHasHeirs"));
}

TEST_F(ActionRulesTest, RetirementComesAfterTheGrace) {
  options_.retire_grace = absl::Seconds(1);
  Boot(2);
  EXPECT_THAT(
      With(policy::Drain{kSecond, DrainKind::kHandOver, {}, {kFirst}}, Given(policy::Scale{{}, 1})),
      Falls("RetirementComesAfterTheGrace"));
}

TEST_F(ActionRulesTest, EvacuatedAreTheRetiredOnly) {
  options_.retirement = policy::Retirement::kMigrate;
  options_.retire_grace = absl::Seconds(1);
  BootKept(2);
  EXPECT_THAT(With(policy::Evacuate{1}), Falls("EvacuatedAreTheRetiredOnly"));
  EXPECT_THAT(With(policy::Evacuate{7}), Falls("EvacuatedAreTheRetiredOnly"));
}

TEST_F(ActionRulesTest, NothingIsEvacuatedWhereTheKernelCannot) {
  BootKept(2);
  EXPECT_THAT(With(policy::Evacuate{1}, Given(policy::Scale{{}, 1})),
              Falls("EvacuatedAreTheRetiredOnly"));
}

TEST_F(ActionRulesTest, StandInsServeElsewhere) {
  BootKept(2);
  EXPECT_THAT(With(policy::Adopt{0, kFirst}), Falls("StandInsServeElsewhere"));
  EXPECT_THAT(With(policy::Adopt{7, kFirst}), Falls("StandInsServeElsewhere"));
  EXPECT_THAT(With(policy::Adopt{1, kNobody}), Falls("StandInsServeElsewhere"));
}

TEST_F(ActionRulesTest, NobodyStandsInBesideAnother) {
  BootKept(3);
  Holds(Death(kFirst));
  EXPECT_THAT(With(policy::Adopt{0, {2, 3}}), Falls("StandInsServeElsewhere"));
}

TEST_F(ActionRulesTest, ReleasedAreTheStandIns) {
  BootKept(2);
  EXPECT_THAT(With(policy::Release{0, kSecond}), Falls("ReleasedAreTheStandIns"));
}

TEST_F(ActionRulesTest, OneUpgradeAtATime) {
  Boot(2);
  EXPECT_THAT(With(policy::Upgrade{99}), Falls("OneUpgradeAtATime"));
  Holds(Given(policy::UpgradeSelf{}));
  EXPECT_THAT(With(policy::Upgrade{command_}), Falls("OneUpgradeAtATime"));
}

TEST_F(ActionRulesTest, SharingIsCalm) {
  options_.rebalancing = true;
  Boot(2);
  EXPECT_THAT(With(policy::Rebalance{}, Given(policy::Reload{})), Falls("SharingIsCalm"));
  EXPECT_THAT(With(policy::Rebalance{}, Given(policy::Stop{})), Falls("SharingIsCalm"));
}

TEST_F(ActionRulesTest, NothingIsSharedUnasked) {
  Boot(2);
  EXPECT_THAT(With(policy::Rebalance{}), Falls("SharingIsCalm"));
}

TEST_F(ActionRulesTest, CommandsAreAnsweredOnce) {
  Boot(1);
  EXPECT_THAT(With(policy::Acknowledge{1}, Given(policy::Ping{})),
              Falls("CommandsAreAnsweredOnce"));
  EXPECT_THAT(With(policy::Progress{1, "late"}), Falls("CommandsAreAnsweredOnce"));
}

TEST_F(ActionRulesTest, QuickDeathsBackOff) {
  Boot(2);
  Holds(Death(kFirst));
  EXPECT_THAT(With(policy::Spawn{{0, 4}}, Death({0, 3})), Falls("QuickDeathsBackOff"));
}

TEST_F(ActionRulesTest, CommandsForgiveNoOtherSlotAndRefusedOnesNobody) {
  const policy::Command commands[] = {policy::Scale{{}, 0}, policy::Scale{{}, 3},
                                      policy::Restart{1}, policy::Restart{7}};
  for (const policy::Command& command : commands) {
    Boot(2);
    Holds(Death(kFirst));
    Holds(Given(command));
    EXPECT_THAT(With(policy::Spawn{{0, 9}}, Death({0, 3})), Falls("QuickDeathsBackOff"));
  }
}

TEST_F(ActionRulesTest, RollForgivesASlotOnce) {
  Boot(2);
  Holds(Given(policy::Reload{}));
  Holds(Death(kSecond));
  Holds(Death({1, 4}));
  Pass(absl::Milliseconds(100));
  Holds(Death({1, 5}));
  EXPECT_THAT(With(policy::Spawn{{1, 9}}), Not(Falls("QuickDeathsBackOff")))
      << "it may be its turn";
  EXPECT_THAT(With(policy::Spawn{{1, 10}}, Death({1, 9})), Not(Falls("QuickDeathsBackOff")));
  EXPECT_THAT(With(policy::Spawn{{1, 11}}, Death({1, 10})), Falls("QuickDeathsBackOff"));
}

TEST_F(ActionRulesTest, NewWorkerThatLoopsBesideTheOldOneBacksOff) {
  Boot(1);
  Holds(Given(policy::Reload{}));
  Holds(policy::WorkerReady{{0, 2}});
  Holds(Death({0, 2}));
  EXPECT_THAT(With(policy::Spawn{{0, 4}}, Death({0, 3})), Falls("QuickDeathsBackOff"));
}

TEST_F(ActionRulesTest, ProgramsAreStartedWhenTheyHaveEnded) {
  Boot(2);
  EXPECT_THAT(With(policy::StartProgram{kFirst}), Falls("ProgramsAreStartedWhenTheyHaveEnded"));
  Holds(policy::ProgramEnded{kFirst});
  EXPECT_THAT(With(policy::StartProgram{kFirst}), Falls("ProgramsAreStartedWhenTheyHaveEnded"));
}

TEST_F(ActionRulesTest, ProgramsQuickDeathsBackOff) {
  Boot(2);
  Holds(policy::ProgramEnded{kFirst});
  EXPECT_THAT(With(policy::StartProgram{kFirst}, policy::ProgramEnded{kFirst}),
              Falls("QuickDeathsBackOff"));
}

TEST_F(ActionRulesTest, ProgramThatEndedForGoodStaysDown) {
  options_.restarts.autorestart = false;
  Boot(2);
  EXPECT_THAT(With(policy::StartProgram{kFirst}, policy::ProgramEnded{kFirst}), Not(""));
}

TEST_F(ActionRulesTest, RecyclesAreDue) {
  Boot(2);
  EXPECT_THAT(With(policy::Spawn{{0, 3}, policy::Entry::kOnAdmission}), Falls("RecyclesAreDue"));
}

TEST_F(ActionRulesTest, WhatEndedForGoodStaysDown) {
  options_.restarts.stop_exit_codes = {3};
  Boot(2);
  const policy::Event done = policy::WorkerExited{kFirst, false, "exited with code 3", 3};
  EXPECT_THAT(With(policy::Spawn{{0, 3}}, done), Falls("WhatEndedForGoodStaysDown"));
}

TEST_F(ActionRulesTest, RestartDelayIsKept) {
  options_.restarts.restart_delay = absl::Seconds(60);
  Boot(2);
  Holds(Death(kFirst));
  now_ += absl::Seconds(60);
  Holds(Woke{});
  Holds(Death({0, 3}));
  now_ += absl::Seconds(59);
  EXPECT_THAT(With(policy::Spawn{{0, 4}}), Falls("QuickDeathsBackOff"));
}

TEST_F(ActionRulesTest, NothingComesAfterFinish) {
  Boot(1);
  Holds(Given(policy::Stop{}));
  EXPECT_THAT(With(policy::Report{}, Death(kFirst)), Falls("NothingComesAfterFinish"));
}

TEST_F(ActionRulesTest, FinishIsAskedForOrAFailedBoot) {
  Boot(1);
  EXPECT_THAT(With(policy::Finish{}), HasSubstr("FinishIsAskedForOrAFailedBoot: workers"));
  const std::string wrong = Instead({policy::Finish{}}, Death(kFirst));
  EXPECT_THAT(wrong, Falls("FinishIsAskedForOrAFailedBoot"));
  EXPECT_THAT(wrong, HasSubstr("nobody asked"));
}

}  // namespace
}  // namespace uc::sim
