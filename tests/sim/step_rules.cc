// The rules about what is true after a step. What each one says is its name.
#include <algorithm>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/crew.h"
#include "tests/policy/policy_text.h"
#include "tests/sim/invariants.h"

namespace uc::sim {

using policy::SlotIndex;
using policy::ToText;
using policy::WorkerState;

std::string AtMostTwoWorkersInASlot(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    // Of three that a new coordinator found two leave.
    const auto leaves = [](const Member& member) {
      return member.inherited &&
             (member.state == WorkerState::kDraining || member.state == WorkerState::kKilled);
    };
    if (story.members.size() <= 2 ||
        (story.members.size() == 3 &&
         std::count_if(story.members.begin(), story.members.end(), leaves) >= 2)) {
      continue;
    }
    return absl::StrCat("slot ", index, " has ", story.members.size(), " workers");
  }
  return "";
}

std::string StartingIsBounded(const Moment& moment) {
  const int starting = moment.chronicle.Starting();
  if (starting <= static_cast<int>(moment.options.starting_max)) return "";
  return absl::StrCat(starting, " workers start at one time, at most ", moment.options.starting_max,
                      " may");
}

// --- Who gets new connections ---

std::string LiveSlotsServe(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (!story.live) continue;
    if (story.evacuated > 0 && !story.kept && story.members.empty()) {
      return absl::StrCat("slot ", index, " is live without a listener");
    }
    if (!moment.chronicle.Accepts(index)) {
      return absl::StrCat("slot ", index, " is live and has no worker that accepts");
    }
  }
  return "";
}

bool AllStopped(const Moment& moment) {
  return std::all_of(
      moment.view.slots.begin(), moment.view.slots.end(),
      [](const policy::Slot& slot) { return !slot.wanted || slot.stopped_by.has_value(); });
}

std::string LiveSetIsNotEmptyWhileASlotServes(const Moment& moment) {
  if (AllStopped(moment)) return "";
  bool serving = false;
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.live) return "";
    serving |= moment.chronicle.Accepts(index);
  }
  return serving ? "a slot accepts, but new connections reach nobody" : "";
}

// Stop and restart ask workers that serve to leave, and a stuck one has to: in these slots, and no others.
static bool TakesWhoServes(const policy::Event& event, SlotIndex slot) {
  if (const auto* command = std::get_if<policy::CommandGiven>(&event)) {
    const auto* restart = std::get_if<policy::Restart>(&command->command);
    return std::holds_alternative<policy::Stop>(command->command) ||
           (restart != nullptr && restart->slot.value_or(slot) == slot);
  }
  const auto* seen = std::get_if<policy::HealthObserved>(&event);
  return seen != nullptr && seen->health == policy::Health::kStuck && seen->worker.slot == slot;
}

std::string LiveSetIsNotEmptiedByChoice(const Moment& moment) {
  if (moment.chronicle.Live() > 0 || AllStopped(moment)) return "";
  for (const SlotIndex slot : moment.live_before) {
    if (TakesWhoServes(moment.event, slot)) continue;
    return absl::StrCat("no slot is live any more, and slot ", slot, " was not to be taken off");
  }
  return "";
}

std::string LiveSetShunsSuspects(const Moment& moment) {
  if (!moment.chronicle.HealthyBeside(policy::kWorkersMax, moment.view.wanted)) return "";
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (!story.live || moment.chronicle.Healthy(index)) continue;
    return absl::StrCat("slot ", index, " is live and silent, though others are well");
  }
  return "";
}

std::string LiveSetShunsWhoRestarts(const Moment& moment) {
  const Chronicle& chronicle = moment.chronicle;
  const auto lives = [&](const auto& entry) { return entry.second.live; };
  const auto serves = [&](const auto& entry) {
    return lives(entry) && chronicle.Serves(entry.first);
  };
  if (std::none_of(chronicle.slots().begin(), chronicle.slots().end(), serves)) return "";
  for (const auto& [index, story] : chronicle.slots()) {
    if (!story.live || chronicle.Serves(index)) continue;
    return absl::StrCat("slot ", index, " is live and restarts, though others serve");
  }
  return "";
}

// --- Who accepts ---

static bool AcceptsAndAnswers(const Chronicle& chronicle, SlotIndex slot) {
  const Member* const acceptor = chronicle.Acceptor(slot);
  return chronicle.Healthy(slot) || (acceptor != nullptr && !acceptor->suspect);
}

std::string KeptListenersAreServed(const Moment& moment) {
  if (moment.view.stopping) return "";
  const Chronicle& chronicle = moment.chronicle;
  for (const auto& [index, story] : chronicle.slots()) {
    if (!story.kept || chronicle.Silent(story) || AcceptsAndAnswers(chronicle, index)) continue;
    const std::vector<const Member*> stand_ins = chronicle.StandIns(story);
    const bool well = std::any_of(stand_ins.begin(), stand_ins.end(), [](const Member* stand_in) {
      return stand_in->state == WorkerState::kServing && !stand_in->suspect;
    });
    if (well || !chronicle.HealthyBeside(index, policy::kWorkersMax)) continue;
    return absl::StrCat("slot ", index, " has listeners that nobody accepts from");
  }
  return "";
}

std::string AtMostOneStandIn(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    const std::vector<const Member*> stand_ins = moment.chronicle.StandIns(story);
    if (stand_ins.size() <= 1) continue;
    return absl::StrCat("slot ", index, " has ", ToText(stand_ins[0]->id), " and ",
                        ToText(stand_ins[1]->id));
  }
  return "";
}

std::string ReleasedSlotsAreServed(const Moment& moment) {
  for (const policy::Action& action : moment.actions) {
    const auto* release = std::get_if<policy::Release>(&action);
    if (release == nullptr) continue;
    const Story& story = moment.chronicle.At(release->slot);
    if (!story.kept || AcceptsAndAnswers(moment.chronicle, release->slot) ||
        !moment.chronicle.StandIns(story).empty()) {
      continue;
    }
    return absl::StrCat(ToText(action), ": nobody takes over");
  }
  return "";
}

std::string NothingAcceptsForEvacuatedSlots(const Moment& moment) {
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.evacuated == 0) continue;
    const std::vector<const Member*> stand_ins = moment.chronicle.StandIns(story);
    if (!story.kept && !stand_ins.empty()) {
      return absl::StrCat("slot ", index, " was evacuated, and ", ToText(stand_ins[0]->id),
                          " stands in");
    }
    for (const Member& member : story.members) {
      if (member.id.generation > story.evacuated || !policy::Accepts(member.state)) continue;
      return absl::StrCat("slot ", index, " was evacuated, and ", ToText(member.id), " serves on");
    }
  }
  return "";
}

// --- Who serves ---

std::string ServingFallsOnlyForAReason(const Moment& moment) {
  for (const SlotIndex slot : moment.served_before) {
    if (moment.chronicle.Serves(slot) || TakesWhoServes(moment.event, slot)) continue;
    return absl::StrCat("slot ", slot, " served, and does not any more");
  }
  return "";
}

// It came with this roll and has not been sent away.
static bool ComesWithTheRoll(const Moment& moment, const Member& member) {
  return member.entry == policy::Entry::kOnAdmission && !member.retired &&
         member.id.generation > moment.chronicle.newest_before_roll &&
         member.state != WorkerState::kDraining && member.state != WorkerState::kKilled;
}

std::string RollHasItsWidth(const Moment& moment) {
  std::vector<SlotIndex> twofold;
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (index >= moment.view.wanted || story.members.size() < 2) continue;
    if (ComesWithTheRoll(moment, story.members.back())) twofold.push_back(index);
  }
  const size_t width = moment.view.rolling ? moment.options.roll_width : moment.view.recycling;
  if (twofold.size() <= width) return "";
  // Who comes alone when the roll was aborted serves for its slot, not beside it; nor does who follows a worker whose
  // program has ended.
  std::erase_if(twofold, [&](SlotIndex index) {
    const WorkerState oldest = moment.chronicle.At(index).members.front().state;
    const bool renews = moment.view.rolling || moment.view.recycling;
    return renews ? oldest == WorkerState::kRestarting : oldest != WorkerState::kServing;
  });
  if (twofold.size() <= width) return "";
  return absl::StrCat(twofold.size(), " slots have a worker too many, at most ", width,
                      " may; one is slot ", twofold.back());
}

std::string AtMostOneRecycles(const Moment& moment) {
  std::vector<SlotIndex> recycling;
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.members.size() < 2) continue;
    const Member& youngest = story.members.back();
    if (youngest.recycles && youngest.state != WorkerState::kDraining &&
        youngest.state != WorkerState::kKilled) {
      recycling.push_back(index);
    }
  }
  if (recycling.size() <= 1) return "";
  return absl::StrCat("slots ", recycling[0], " and ", recycling[1], " recycle at one time");
}

std::string StoppedSlotsEndedForGood(const Moment& moment) {
  for (const policy::Slot& slot : moment.view.slots) {
    if (!slot.stopped_by.has_value()) continue;
    const Story& story = moment.chronicle.At(slot.index);
    if (!story.perhaps_over) return absl::StrCat("slot ", slot.index, " is stopped without reason");
    if (slot.live) return absl::StrCat("slot ", slot.index, " is stopped, and live");
  }
  return "";
}

std::string NobodyWaitsForTheStopped(const Moment& moment) {
  if (!AllStopped(moment) || moment.view.stopping || moment.view.rolling) return "";
  if (moment.chronicle.Alive() > 0) return "";
  for (const auto& [index, story] : moment.chronicle.slots()) {
    if (story.kept) return absl::StrCat("slot ", index, " listens, and nobody will come");
  }
  return "";
}

// --- The tables ---

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
  int live = 0;
  for (const policy::Slot& slot : moment.view.slots) {
    if (slot.live != moment.chronicle.At(slot.index).live) {
      return absl::StrCat("slot ", slot.index, ": live in the table is not what was asked for");
    }
    live += slot.live;
    for (const auto* worker : {&slot.incumbent, &slot.successor, &slot.leaving}) {
      if (!worker->has_value()) continue;
      ++shown;
      const Member* const member = moment.chronicle.Find((*worker)->id);
      if (member == nullptr || member->state != (*worker)->state ||
          (member->state == WorkerState::kRestarting &&
           member->program_asked != (*worker)->program_asked)) {
        return absl::StrCat("worker ", ToText((*worker)->id), " is not as the table says");
      }
    }
  }
  if (live != moment.chronicle.Live()) {
    return absl::StrCat(moment.chronicle.Live(), " slots are live, the table shows ", live);
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
    if (!slot.wanted || slot.stopped_by.has_value()) continue;
    if (!moment.chronicle.At(slot.index).members.empty()) continue;
    const bool waits =
        moment.view.next_deadline != absl::InfiniteFuture() || moment.chronicle.Starting() > 0;
    if (!waits) return absl::StrCat("slot ", slot.index, " is empty and nothing will come");
  }
  return "";
}

std::string NoProgramIsForgotten(const Moment& moment) {
  if (moment.view.next_deadline != absl::InfiniteFuture() || moment.chronicle.Starting() > 0) {
    return "";
  }
  for (const auto& [index, story] : moment.chronicle.slots()) {
    for (const Member& member : story.members) {
      if (member.state != WorkerState::kRestarting) continue;
      return absl::StrCat("the program of ", ToText(member.id), " has ended and nothing will come");
    }
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
    const bool stopped =
        index < moment.view.slots.size() && moment.view.slots[index].stopped_by.has_value();
    if (stopped && moment.chronicle.At(index).members.empty()) continue;
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

}  // namespace uc::sim
