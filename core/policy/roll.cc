// The roll: every incumbent is replaced, one slot at a time, and the old one is only asked to leave when
// its successor serves.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {

void Supervisor::State::Begin(CommandId id, const Reload&) {
  ledger.Open(id);
  queued_reloads.push_back(id);
  if (roll.has_value()) {
    ledger.Tell(id, "another roll is under way; this one follows it");
  } else if (!restarts.empty()) {
    ledger.Tell(id, "a restart is under way; the roll follows it");
  }
}

bool Supervisor::State::BeginRoll() {
  if (queued_reloads.empty() || !restarts.empty()) return false;
  roll = Roll{};
  roll->commands = std::exchange(queued_reloads, {});
  roll->first_generation = crew.next_generation();
  for (const Slot& slot : crew.slots()) {
    if (slot.wanted) roll->ahead.push_back(slot.index);
  }
  return true;
}

void Supervisor::State::AdvanceRoll() {
  while (roll.has_value() || BeginRoll()) {
    // Retired slots leave the roll, so that its total stays true.
    std::erase_if(roll->ahead, [this](SlotIndex index) {
      const Slot* const slot = crew.Find(index);
      return slot == nullptr || !slot->wanted;
    });
    if (!roll->current.has_value()) {
      if (roll->ahead.empty()) {
        FinishRoll();
        continue;
      }
      roll->current = roll->ahead.front();
      roll->ahead.pop_front();
    }
    if (!StepCurrent()) return;
    roll->current.reset();
  }
}

bool Supervisor::State::StepCurrent() {
  Slot* const slot = crew.Find(*roll->current);
  if (slot == nullptr || !slot->wanted) return true;
  if (Serves(*slot) && roll->IsNew(*slot->incumbent)) {
    // At most one slot has a worker too many, which bounds the memory of a roll.
    if (WorkerCount(*slot) > 1) return false;
    const std::string text =
        absl::StrCat("slot ", slot->index, ": done ", roll->done + 1, "/", roll->total());
    for (const CommandId id : roll->commands) ledger.Tell(id, text);
    ++roll->done;
    return true;
  }
  if (slot->successor.has_value() || !Crew::HasRoom(*slot) || !crew.MayStart()) return false;
  if (Serves(*slot)) {
    crew.Spawn(now, *slot, &Slot::successor);
  } else if (!slot->incumbent.has_value()) {
    crew.Spawn(now, *slot, &Slot::incumbent);  // the new build may be the cure: no back-off
  }
  return false;
}

void Supervisor::State::PromoteSuccessor(Slot& slot) {
  crew.Promote(slot);
  crew.SetLive(slot, true);
  std::string text =
      absl::StrCat("slot ", slot.index, ": generation ", slot.incumbent->id.generation, " ready");
  if (slot.leaving.has_value()) {
    if (slot.leaving->state == WorkerState::kServing) {
      crew.Drain(now, *slot.leaving, DrainKind::kHandOver, now + options.kill_timeout);
    }
    absl::StrAppend(&text, ", draining generation ", slot.leaving->id.generation);
  }
  TellWaiting(slot, text);
}

void Supervisor::State::FinishRoll() {
  std::string text = absl::StrCat("rolled ", Counted(roll->done, "slot"));
  if (roll->killed > 0) {
    absl::StrAppend(&text, "; ", Counted(roll->killed, "old worker"), " had to be killed after ",
                    Shown(options.kill_timeout));
  }
  for (const CommandId id : roll->commands) ledger.Answer(id, Outcome::kDone, text);
  roll.reset();
}

void Supervisor::State::AbortRoll(const std::string& reason) {
  const std::string text = absl::StrCat(
      "roll aborted at slot ", *roll->current, ": ", reason, "; ", roll->done, " of ",
      Counted(roll->total(), "slot"), " already run the new generation, all others are untouched");
  for (const CommandId id : roll->commands) ledger.Answer(id, Outcome::kFailed, text);
  roll.reset();
}

}  // namespace uc::policy
