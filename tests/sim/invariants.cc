#include "tests/sim/invariants.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace uc::sim {

using policy::Action;

View ViewOf(const policy::Supervisor& supervisor) {
  return {supervisor.slots(),       supervisor.workers_wanted(), supervisor.rolling(),
          supervisor.recycling(),   supervisor.stopping(),       supervisor.upgrading(),
          supervisor.NextDeadline()};
}

namespace {

struct ActionRule {
  const char* name;
  std::string (*holds)(const Moment&, const Action&);
};
struct StepRule {
  const char* name;
  std::string (*holds)(const Moment&);
};

#define UC_RULE(rule) \
  { #rule, rule }
constexpr ActionRule kActionRules[] = {
    UC_RULE(OnlyOurProcessesAreNamed),
    UC_RULE(FinishLeavesNobody),
    UC_RULE(ActionNamesALivingWorker),
    UC_RULE(GenerationsAreNew),
    UC_RULE(RebirthKillsNobodyReady),
    UC_RULE(ServingWorkersAreNotKilled),
    UC_RULE(NobodyIsKilledBeforeHisTime),
    UC_RULE(AbortedRollLeavesTheOldUntouched),
    UC_RULE(SuccessorsProveThemselves),
    UC_RULE(HandOverHasASuccessor),
    UC_RULE(HandOverComesAfterTheSoak),
    UC_RULE(HeirsServe),
    UC_RULE(HandOverHasHeirs),
    UC_RULE(RetirementComesAfterTheGrace),
    UC_RULE(EvacuatedAreTheRetiredOnly),
    UC_RULE(StandInsServeElsewhere),
    UC_RULE(ReleasedAreTheStandIns),
    UC_RULE(OneUpgradeAtATime),
    UC_RULE(SharingIsCalm),
    UC_RULE(CommandsAreAnsweredOnce),
    UC_RULE(QuickDeathsBackOff),
    UC_RULE(ProgramsAreStartedWhenTheyHaveEnded),
    UC_RULE(RecyclesAreDue),
    UC_RULE(WhatEndedForGoodStaysDown),
    UC_RULE(StartEndsOnceAndIsCounted),
    UC_RULE(NothingComesAfterFinish),
    UC_RULE(FinishIsAskedForOrAFailedBoot),
};
constexpr StepRule kStepRules[] = {
    UC_RULE(AtMostTwoWorkersInASlot),
    UC_RULE(StartingIsBounded),
    UC_RULE(TablesHaveTheirBounds),
    UC_RULE(RebirthKnowsEverybody),
    UC_RULE(WhatCannotBeIsEnded),
    UC_RULE(LiveSlotsServe),
    UC_RULE(LiveSetIsNotEmptyWhileASlotServes),
    UC_RULE(LiveSetIsNotEmptiedByChoice),
    UC_RULE(LiveSetShunsSuspects),
    UC_RULE(LiveSetShunsWhoRestarts),
    UC_RULE(KeptListenersAreServed),
    UC_RULE(AtMostOneStandIn),
    UC_RULE(ReleasedSlotsAreServed),
    UC_RULE(NothingAcceptsForEvacuatedSlots),
    UC_RULE(ServingFallsOnlyForAReason),
    UC_RULE(AtMostOneRecycles),
    UC_RULE(RollHasItsWidth),
    UC_RULE(StoppedSlotsEndedForGood),
    UC_RULE(NobodyWaitsForTheStopped),
    UC_RULE(WantedSlotsAreContiguous),
    UC_RULE(TablesAreTrue),
    UC_RULE(DeadlinesAreAhead),
    UC_RULE(StartEndsInTime),
    UC_RULE(NoTerminalState),
    UC_RULE(NoProgramIsForgotten),
    UC_RULE(OpenCommandsAreBounded),
};
constexpr StepRule kRecoveryRules[] = {
    UC_RULE(NobodyIsForgotten),
    UC_RULE(AllWantedSlotsServe),
    UC_RULE(AllCommandsAreAnswered),
    UC_RULE(WhoServesAccepts),
};
#undef UC_RULE

}  // namespace

std::vector<std::string> RuleNames() {
  std::vector<std::string> names;
  for (const ActionRule& rule : kActionRules) names.push_back(rule.name);
  for (const StepRule& rule : kStepRules) names.push_back(rule.name);
  for (const StepRule& rule : kRecoveryRules) names.push_back(rule.name);
  return names;
}

Invariants::Invariants(const policy::SupervisorOptions& options)
    : options_(options), chronicle_(options.restarts) {}

Moment Invariants::At(absl::Time now, const policy::Event& event, const policy::Actions& actions,
                      const View& view) {
  Moment moment = {now, event, options_, chronicle_, view, actions, {}, rolling_};
  moment.newest_before_roll = chronicle_.newest_before_roll;
  for (const auto& [index, story] : chronicle_.slots()) {
    if (!chronicle_.Serves(index)) continue;
    if (index < view.wanted) moment.served_before.push_back(index);
    if (story.live) moment.live_before.push_back(index);
  }
  if (processes_.has_value()) moment.processes = &*processes_;
  return moment;
}

std::string Invariants::Step(absl::Time now, const policy::Event& event,
                             const policy::Actions& actions, const View& view) {
  chronicle_.Happened(now, event, actions);
  return Judge(At(now, event, actions, view));
}

std::string Invariants::BrokenOff(absl::Time now, const policy::Event& event,
                                  const policy::Actions& actions, const View& view) {
  chronicle_.Happened(now, event, actions);
  return JudgeActions(At(now, event, actions, view));
}

std::string Invariants::Reborn(absl::Time now, const policy::SupervisorOptions& options,
                               const policy::Legacy& legacy, const policy::Actions& actions,
                               const View& view, Beginning beginning) {
  options_ = options;
  rolling_ = false;
  chronicle_.Reborn(now, legacy, beginning.header);
  Moment moment = At(now, policy::Woke{}, actions, view);
  moment.reborn = true;
  return beginning.broken_off ? JudgeActions(moment) : Judge(moment);
}

std::string Invariants::JudgeActions(const Moment& moment) {
  chronicle_.Rolling(moment.view.rolling);
  for (const Action& action : moment.actions) {
    for (const ActionRule& rule : kActionRules) {
      const std::string wrong = rule.holds(moment, action);
      if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
    }
    chronicle_.AskedFor(moment.now, action);
  }
  return "";
}

std::string Invariants::Judge(const Moment& moment) {
  std::string broken = JudgeActions(moment);
  if (!broken.empty()) return broken;
  chronicle_.Wanted(moment.view.wanted);
  chronicle_.Progress(moment.now);
  for (const StepRule& rule : kStepRules) {
    const std::string wrong = rule.holds(moment);
    if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
  }
  rolling_ = moment.view.rolling;
  return "";
}

std::string Invariants::Recovered(absl::Time now, const View& view) const {
  Moment moment = {now, policy::Woke{}, options_, chronicle_, view, {}, {}, rolling_};
  if (processes_.has_value()) moment.processes = &*processes_;
  for (const StepRule& rule : kRecoveryRules) {
    const std::string wrong = rule.holds(moment);
    if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
  }
  return "";
}

}  // namespace uc::sim
