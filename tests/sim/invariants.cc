#include "tests/sim/invariants.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/policy/policy_text.h"

namespace uc::sim {

using policy::Action;
using policy::SlotIndex;
using policy::ToText;
using policy::WorkerState;

View ViewOf(const policy::Supervisor& supervisor) {
  return {supervisor.slots(), supervisor.workers_wanted(), supervisor.rolling(),
          supervisor.stopping(), supervisor.NextDeadline()};
}

// --- Rules about an action ---

std::string ActionNamesALivingWorker(const Moment& moment, const Action& action) {
  const Member* member = nullptr;
  if (const auto* drain = std::get_if<policy::Drain>(&action)) {
    member = moment.chronicle.Find(drain->worker);
    if (member != nullptr &&
        (member->state == WorkerState::kServing || member->state == WorkerState::kDraining)) {
      return "";
    }
  } else if (const auto* kill = std::get_if<policy::Kill>(&action)) {
    member = moment.chronicle.Find(kill->worker);
    if (member != nullptr && member->state != WorkerState::kKilled) return "";
  } else {
    return "";
  }
  return absl::StrCat(ToText(action), member == nullptr ? ": no such worker lives"
                                                        : ": this worker is not to be told so");
}

std::string GenerationsAreNew(const Moment& moment, const Action& action) {
  const auto* spawn = std::get_if<policy::Spawn>(&action);
  if (spawn == nullptr || spawn->worker.generation > moment.chronicle.newest) return "";
  return absl::StrCat(ToText(action), ": generation ", moment.chronicle.newest, " was born before");
}

std::string ServingWorkersAreNotKilled(const Moment& moment, const Action& action) {
  const auto* kill = std::get_if<policy::Kill>(&action);
  if (kill == nullptr || kill->reason == policy::KillReason::kStuck ||
      kill->reason == policy::KillReason::kStopNow) {
    return "";
  }
  const Member* const member = moment.chronicle.Find(kill->worker);
  if (member == nullptr || member->state != WorkerState::kServing) return "";
  return absl::StrCat(ToText(action), ": it serves");
}

std::string HandOverHasASuccessor(const Moment& moment, const Action& action) {
  const auto* drain = std::get_if<policy::Drain>(&action);
  if (drain == nullptr || drain->kind != policy::DrainKind::kHandOver || moment.view.stopping) {
    return "";
  }
  for (const Member& other : moment.chronicle.At(drain->worker.slot).members) {
    if (other.id != drain->worker && other.state == WorkerState::kServing) return "";
  }
  return absl::StrCat(ToText(action), ": nobody else serves this slot");
}

std::string RetireComesAfterClose(const Moment& moment, const Action& action) {
  if (const auto* drain = std::get_if<policy::Drain>(&action)) {
    const Story& story = moment.chronicle.At(drain->worker.slot);
    if (drain->kind == policy::DrainKind::kRetire && !story.closed) {
      return absl::StrCat(ToText(action), ": the slot's listeners are still held");
    }
  }
  if (const auto* close = std::get_if<policy::CloseSlot>(&action)) {
    const Story& story = moment.chronicle.At(close->slot);
    if (story.live) return absl::StrCat(ToText(action), ": the slot is still live");
    if (story.closed) return absl::StrCat(ToText(action), ": it was closed before");
  }
  return "";
}

std::string CommandsAreAnsweredOnce(const Moment& moment, const Action& action) {
  policy::CommandId id = 0;
  if (const auto* answer = std::get_if<policy::Acknowledge>(&action)) id = answer->command;
  if (const auto* progress = std::get_if<policy::Progress>(&action)) id = progress->command;
  if (id == 0 || moment.chronicle.open().count(id) == 1) return "";
  return absl::StrCat(ToText(action), ": this command is not open");
}

std::string QuickDeathsBackOff(const Moment& moment, const Action& action) {
  const auto* spawn = std::get_if<policy::Spawn>(&action);
  if (spawn == nullptr || moment.view.rolling || moment.rolling_before) return "";
  const Story& story = moment.chronicle.At(spawn->worker.slot);
  // Who asks for a worker gets one at once.
  if (story.quick_ends < 2 || story.last_end <= moment.chronicle.last_reload_or_restart ||
      story.last_end <= moment.chronicle.last_scale) {
    return "";
  }
  const policy::RestartOptions& options = moment.options.restarts;
  absl::Duration least = options.backoff_first;
  for (int end = 2; end < story.quick_ends && least < options.backoff_max; ++end) least *= 1.5;
  least = std::min(least, options.backoff_max);
  if (moment.now - story.last_end >= least) return "";
  return absl::StrCat(ToText(action), ": ", absl::FormatDuration(moment.now - story.last_end),
                      " after quick end ", story.quick_ends, ", not ", absl::FormatDuration(least));
}

std::string NothingComesAfterFinish(const Moment& moment, const Action& action) {
  return moment.chronicle.finished ? absl::StrCat(ToText(action), ": after Finish") : "";
}

std::string FinishIsAskedForOrAFailedBoot(const Moment& moment, const Action& action) {
  if (!std::holds_alternative<policy::Finish>(action)) return "";
  if (moment.chronicle.Alive() > 0) return "workers are still alive";
  if (!moment.chronicle.open().empty()) return "commands are still open";
  if (moment.chronicle.stop_given || !moment.chronicle.ever_ready) return "";
  return "nobody asked for it, and a worker has been READY";
}

// --- Rules about a step ---

std::string AtMostTwoWorkersInASlot(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.members.size() > 2) {
      return absl::StrCat("slot ", index, " has ", story.members.size(), " workers");
    }
  }
  return "";
}

std::string StartingIsBounded(const Moment& moment) {
  const int starting = moment.chronicle.Starting();
  if (starting <= static_cast<int>(moment.options.starting_max)) return "";
  return absl::StrCat(starting, " workers start at one time, at most ", moment.options.starting_max,
                      " may");
}

std::string LiveSlotsServe(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (!story.live) continue;
    if (story.closed) return absl::StrCat("slot ", index, " is live without a listener");
    if (!moment.chronicle.Serves(index)) {
      return absl::StrCat("slot ", index, " is live and has no serving worker");
    }
  }
  return "";
}

std::string LiveSetIsNotEmptyWhileASlotServes(const Moment& moment) {
  bool serving = false;
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.live) return "";
    serving |= moment.chronicle.Serves(index);
  }
  return serving ? "a slot serves, but new connections reach nobody" : "";
}

// Stop and restart ask serving workers to leave; a stuck one has to.
static bool TakesServingWorkers(const policy::Event& event) {
  if (const auto* command = std::get_if<policy::CommandGiven>(&event)) {
    return std::holds_alternative<policy::Stop>(command->command) ||
           std::holds_alternative<policy::Restart>(command->command);
  }
  const auto* seen = std::get_if<policy::HealthObserved>(&event);
  return seen != nullptr && seen->health == policy::Health::kStuck;
}

std::string LiveSetIsNotEmptiedByChoice(const Moment& moment) {
  if (moment.live_before == 0 || moment.chronicle.Live() > 0) return "";
  if (TakesServingWorkers(moment.event) ||
      std::holds_alternative<policy::WorkerExited>(moment.event)) {
    return "";
  }
  return "no slot is live any more, and nobody died";
}

std::string ServingFallsOnlyForAReason(const Moment& moment) {
  if (TakesServingWorkers(moment.event)) return "";
  const int serving = moment.chronicle.ServingBelow(moment.view.wanted);
  if (serving >= moment.serving_before) return "";
  return absl::StrCat("of the wanted slots ", moment.serving_before, " served, now ", serving);
}

std::string RollHasWidthOne(const Moment& moment) {
  std::vector<SlotIndex> rolled;
  for (const auto& [index, story] : moment.chronicle.slots()) {
    const bool starts =
        std::any_of(story.members.begin(), story.members.end(),
                    [](const Member& member) { return member.state == WorkerState::kStarting; });
    if (starts && moment.chronicle.Serves(index)) rolled.push_back(index);
  }
  if (rolled.size() <= 1) return "";
  return absl::StrCat("slots ", rolled[0], " and ", rolled[1], " have a successor at one time");
}

std::string WantedSlotsAreContiguous(const Moment& moment) {
  uint32_t wanted = 0;
  for (const policy::Slot& slot : moment.view.slots) {
    if (!slot.wanted) continue;
    if (slot.index != wanted) return absl::StrCat("slot ", wanted, " is missing");
    ++wanted;
  }
  if (wanted == moment.view.wanted && wanted >= 1) return "";
  return absl::StrCat(wanted, " slots are wanted, but ", moment.view.wanted, " workers");
}

std::string TablesAreTrue(const Moment& moment) {
  size_t shown = 0;
  for (const policy::Slot& slot : moment.view.slots) {
    if (slot.live != moment.chronicle.At(slot.index).live) {
      return absl::StrCat("slot ", slot.index, ": live in the table is not what was asked for");
    }
    for (const auto* worker : {&slot.incumbent, &slot.successor, &slot.leaving}) {
      if (!worker->has_value()) continue;
      ++shown;
      const Member* const member = moment.chronicle.Find((*worker)->id);
      if (member == nullptr || member->state != (*worker)->state) {
        return absl::StrCat("worker ", ToText((*worker)->id), " is not as the table says");
      }
    }
  }
  const int alive = moment.chronicle.Alive();
  if (static_cast<int>(shown) == alive) return "";
  return absl::StrCat(alive, " workers live, the table shows ", shown);
}

std::string DeadlinesAreAhead(const Moment& moment) {
  if (moment.view.next_deadline > moment.now) return "";
  return "the next deadline has passed: the coordinator would spin";
}

std::string NoTerminalState(const Moment& moment) {
  if (moment.view.stopping) return "";
  for (const policy::Slot& slot : moment.view.slots) {
    if (!slot.wanted || !moment.chronicle.At(slot.index).members.empty()) continue;
    const bool waits =
        moment.view.next_deadline != absl::InfiniteFuture() || moment.chronicle.Starting() > 0;
    if (!waits) return absl::StrCat("slot ", slot.index, " is empty and nothing will come");
  }
  return "";
}

std::string OpenCommandsAreBounded(const Moment& moment) {
  const size_t open = moment.chronicle.open().size();
  return open <= policy::kCommandsMax ? "" : absl::StrCat(open, " commands are open");
}

// --- When faults have stopped ---

std::string AllWantedSlotsServe(const Moment& moment) {
  for (SlotIndex index = 0; index < moment.view.wanted; ++index) {
    if (!moment.chronicle.Serves(index) || !moment.chronicle.At(index).live) {
      return absl::StrCat("slot ", index, " does not serve");
    }
  }
  if (moment.view.slots.size() == moment.view.wanted) return "";
  return absl::StrCat(moment.view.wanted, " slots are wanted, ", moment.view.slots.size(),
                      " exist");
}

std::string AllCommandsAreAnswered(const Moment& moment) {
  if (moment.chronicle.open().empty()) return "";
  return absl::StrCat("command ", *moment.chronicle.open().begin(), " is still open");
}

// --- All of them ---

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
    UC_RULE(ActionNamesALivingWorker),
    UC_RULE(GenerationsAreNew),
    UC_RULE(ServingWorkersAreNotKilled),
    UC_RULE(HandOverHasASuccessor),
    UC_RULE(RetireComesAfterClose),
    UC_RULE(CommandsAreAnsweredOnce),
    UC_RULE(QuickDeathsBackOff),
    UC_RULE(NothingComesAfterFinish),
    UC_RULE(FinishIsAskedForOrAFailedBoot),
};
constexpr StepRule kStepRules[] = {
    UC_RULE(AtMostTwoWorkersInASlot),
    UC_RULE(StartingIsBounded),
    UC_RULE(LiveSlotsServe),
    UC_RULE(LiveSetIsNotEmptyWhileASlotServes),
    UC_RULE(LiveSetIsNotEmptiedByChoice),
    UC_RULE(ServingFallsOnlyForAReason),
    UC_RULE(RollHasWidthOne),
    UC_RULE(WantedSlotsAreContiguous),
    UC_RULE(TablesAreTrue),
    UC_RULE(DeadlinesAreAhead),
    UC_RULE(NoTerminalState),
    UC_RULE(OpenCommandsAreBounded),
};
constexpr StepRule kRecoveryRules[] = {
    UC_RULE(AllWantedSlotsServe),
    UC_RULE(AllCommandsAreAnswered),
};
#undef UC_RULE

}  // namespace

Invariants::Invariants(const policy::SupervisorOptions& options)
    : options_(options),
      chronicle_(std::max(options.restarts.min_uptime, options.restarts.backoff_first)) {}

std::string Invariants::Step(absl::Time now, const policy::Event& event,
                             const policy::Actions& actions, const View& view) {
  chronicle_.Happened(now, event);
  const int serving = chronicle_.ServingBelow(view.wanted);
  const int live = chronicle_.Live();
  const Moment moment = {now, event, options_, chronicle_, view, serving, rolling_, live};
  for (const Action& action : actions) {
    for (const ActionRule& rule : kActionRules) {
      const std::string wrong = rule.holds(moment, action);
      if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
    }
    chronicle_.AskedFor(action);
  }
  for (const StepRule& rule : kStepRules) {
    const std::string wrong = rule.holds(moment);
    if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
  }
  rolling_ = view.rolling;
  return "";
}

std::string Invariants::Recovered(absl::Time now, const View& view) const {
  const Moment moment = {now, policy::Woke{}, options_, chronicle_, view, 0, rolling_, 0};
  for (const StepRule& rule : kRecoveryRules) {
    const std::string wrong = rule.holds(moment);
    if (!wrong.empty()) return absl::StrCat(rule.name, ": ", wrong);
  }
  return "";
}

}  // namespace uc::sim
