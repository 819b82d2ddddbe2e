// The invariants of a cluster (DESIGN.md, section 11), each one a named function with its own message.
//
// A rule about an action (action_rules.cc) is asked before the action is entered in the chronicle; a rule
// about a step (step_rules.cc, takeover_rules.cc) after all its actions. "" means that the rule holds.
#ifndef TESTS_SIM_INVARIANTS_H_
#define TESTS_SIM_INVARIANTS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/policy/supervisor.h"
#include "tests/sim/chronicle.h"
#include "tests/sim/world.h"

namespace uc::sim {

// What the supervisor shows of itself.
struct View {
  absl::Span<const policy::Slot> slots;
  uint32_t wanted = 0;
  bool rolling = false;
  bool recycling = false;
  bool stopping = false;
  bool upgrading = false;
  absl::Time next_deadline = absl::InfiniteFuture();
};
View ViewOf(const policy::Supervisor& supervisor);

// One step: the event, and what was known before and after its actions.
struct Moment {
  absl::Time now;
  policy::Event event;
  const policy::SupervisorOptions& options;
  const Chronicle& chronicle;
  const View& view;
  absl::Span<const policy::Action> actions;
  std::vector<policy::SlotIndex>
      served_before;  // wanted ones, with the event but before the actions
  bool rolling_before = false;
  policy::Generation newest_before_roll = 0;
  std::vector<policy::SlotIndex> live_before;  // of all that served
  bool reborn = false;                         // no event: a new coordinator has looked around
  const Processes* processes = nullptr;        // before the actions; nullptr: nobody has looked
};

// All that is wanted has ended for good: what serves is on its way out.
bool AllStopped(const Moment& moment);

// --- Rules about an action ---
std::string ActionNamesALivingWorker(const Moment& moment, const policy::Action& action);
std::string GenerationsAreNew(const Moment& moment, const policy::Action& action);
std::string ServingWorkersAreNotKilled(const Moment& moment, const policy::Action& action);
std::string NobodyIsKilledBeforeHisTime(const Moment& moment, const policy::Action& action);
std::string AbortedRollLeavesTheOldUntouched(const Moment& moment, const policy::Action& action);
std::string SuccessorsProveThemselves(const Moment& moment, const policy::Action& action);
std::string HandOverHasASuccessor(const Moment& moment, const policy::Action& action);
std::string HandOverComesAfterTheSoak(const Moment& moment, const policy::Action& action);
std::string HeirsServe(const Moment& moment, const policy::Action& action);
std::string HandOverHasHeirs(const Moment& moment, const policy::Action& action);
std::string RetirementComesAfterTheGrace(const Moment& moment, const policy::Action& action);
std::string EvacuatedAreTheRetiredOnly(const Moment& moment, const policy::Action& action);
std::string StandInsServeElsewhere(const Moment& moment, const policy::Action& action);
std::string ReleasedAreTheStandIns(const Moment& moment, const policy::Action& action);
std::string OneUpgradeAtATime(const Moment& moment, const policy::Action& action);
std::string SharingIsCalm(const Moment& moment, const policy::Action& action);
std::string CommandsAreAnsweredOnce(const Moment& moment, const policy::Action& action);
std::string ProgramsAreStartedWhenTheyHaveEnded(const Moment& moment, const policy::Action& action);
std::string RecyclesAreDue(const Moment& moment, const policy::Action& action);
std::string WhatEndedForGoodStaysDown(const Moment& moment, const policy::Action& action);
std::string QuickDeathsBackOff(const Moment& moment, const policy::Action& action);
std::string StartEndsOnceAndIsCounted(const Moment& moment, const policy::Action& action);
std::string NothingComesAfterFinish(const Moment& moment, const policy::Action& action);
std::string FinishIsAskedForOrAFailedBoot(const Moment& moment, const policy::Action& action);
std::string RebirthKillsNobodyReady(const Moment& moment, const policy::Action& action);

std::string OnlyOurProcessesAreNamed(const Moment& moment, const policy::Action& action);
std::string FinishLeavesNobody(const Moment& moment, const policy::Action& action);

// --- Rules about a step ---
std::string AtMostTwoWorkersInASlot(const Moment& moment);
std::string StartingIsBounded(const Moment& moment);
std::string LiveSlotsServe(const Moment& moment);
std::string LiveSetIsNotEmptyWhileASlotServes(const Moment& moment);
std::string LiveSetIsNotEmptiedByChoice(const Moment& moment);
std::string LiveSetShunsSuspects(const Moment& moment);
std::string LiveSetShunsWhoRestarts(const Moment& moment);
std::string KeptListenersAreServed(const Moment& moment);
std::string AtMostOneStandIn(const Moment& moment);
std::string ReleasedSlotsAreServed(const Moment& moment);
std::string NothingAcceptsForEvacuatedSlots(const Moment& moment);
std::string ServingFallsOnlyForAReason(const Moment& moment);
std::string RollHasItsWidth(const Moment& moment);
std::string AtMostOneRecycles(const Moment& moment);
std::string StoppedSlotsEndedForGood(const Moment& moment);
std::string NobodyWaitsForTheStopped(const Moment& moment);
std::string WantedSlotsAreContiguous(const Moment& moment);
std::string TablesAreTrue(const Moment& moment);
std::string DeadlinesAreAhead(const Moment& moment);
std::string StartEndsInTime(const Moment& moment);
std::string NoTerminalState(const Moment& moment);
std::string NoProgramIsForgotten(const Moment& moment);
std::string OpenCommandsAreBounded(const Moment& moment);
std::string RebirthKnowsEverybody(const Moment& moment);
std::string WhatCannotBeIsEnded(const Moment& moment);
std::string TablesHaveTheirBounds(const Moment& moment);

// --- When faults have stopped for as long as is named in simulation.h ---
std::string AllWantedSlotsServe(const Moment& moment);
std::string AllCommandsAreAnswered(const Moment& moment);
std::string NobodyIsForgotten(const Moment& moment);
std::string WhoServesAccepts(const Moment& moment);

// Of all of them.
std::vector<std::string> RuleNames();

// How another coordinator began.
struct Beginning {
  bool broken_off = false;  // it died before it came to the actions after these
  Header header = Header::kTrue;
};

// Keeps the chronicle and asks every rule. "" or "NameOfTheRule: what is wrong".
class Invariants {
 public:
  explicit Invariants(const policy::SupervisorOptions& options);

  std::string Step(absl::Time now, const policy::Event& event, const policy::Actions& actions,
                   const View& view);
  // As Step, but the coordinator died before it came to the actions after these.
  std::string BrokenOff(absl::Time now, const policy::Event& event, const policy::Actions& actions,
                        const View& view);
  // Another coordinator found this, and asked for that.
  std::string Reborn(absl::Time now, const policy::SupervisorOptions& options,
                     const policy::Legacy& legacy, const policy::Actions& actions, const View& view,
                     Beginning beginning = {});
  // Said before each of them: the processes as they are.
  void See(Processes processes) { processes_ = std::move(processes); }
  std::string Recovered(absl::Time now, const View& view) const;
  const Chronicle& chronicle() const { return chronicle_; }

 private:
  Moment At(absl::Time now, const policy::Event& event, const policy::Actions& actions,
            const View& view);
  std::string Judge(const Moment& moment);
  std::string JudgeActions(const Moment& moment);

  policy::SupervisorOptions options_;
  Chronicle chronicle_;
  std::optional<Processes> processes_;
  bool rolling_ = false;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_INVARIANTS_H_
