// The roll: every incumbent is replaced, roll_width slots at a time, and the old one is only asked to leave
// when its successor has proved itself: READY, probed, admitted, soaked.
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
    while (roll->current.size() < options.roll_width && !roll->ahead.empty()) {
      roll->current.push_back(roll->ahead.front());
      roll->ahead.pop_front();
    }
    const size_t before = roll->current.size();
    std::erase_if(roll->current, [this](SlotIndex index) { return StepCurrent(index); });
    if (roll->current.empty() && roll->ahead.empty()) {
      FinishRoll();
    } else if (roll->current.size() == before) {
      return;
    }
  }
}

bool Supervisor::State::StepCurrent(SlotIndex index) {
  Slot* const slot = crew.Find(index);
  if (slot == nullptr || !slot->wanted) return true;
  if (Serves(*slot) && roll->IsNew(*slot->incumbent)) {
    // At most roll_width slots have a worker too many, which bounds the memory of a roll.
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

void Supervisor::State::On(const ProbeAnswered& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr || place.worker().state != WorkerState::kProving) {
    ++events_ignored;
    return;
  }
  Worker& worker = place.worker();
  if (event.passed) {
    crew.Admit(now, worker);
    return;
  }
  worker.failure = event.reason;
  crew.Kill(now, worker, KillReason::kAborted);
  StartFailed(worker, Fault::kOperator, worker.failure);
}

// A successor that soaks beside a healthy incumbent waits for the end of its soak; one that is the slot's
// only hope does not.
void Supervisor::State::PromoteSoaked() {
  for (Slot& slot : crew.slots()) {
    if (!slot.successor.has_value() || slot.successor->state != WorkerState::kServing) continue;
    if (now >= slot.successor->soaked_at || !Serves(slot)) PromoteSuccessor(slot);
  }
}

void Supervisor::State::PromoteSuccessor(Slot& slot) {
  crew.Promote(slot);
  if (slot.wanted) crew.SetLive(slot, true);
  std::string text =
      absl::StrCat("slot ", slot.index, ": generation ", slot.incumbent->id.generation, " ready");
  if (slot.leaving.has_value()) {
    if (slot.leaving->state == WorkerState::kServing) {
      crew.Drain(now, *slot.leaving, DrainKind::kHandOver, now + options.kill_timeout,
                 {slot.incumbent->id});
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

void Supervisor::State::AbortRoll(SlotIndex index, const std::string& reason) {
  size_t renewed = roll->done;
  for (const SlotIndex other : roll->current) {
    const Slot* const slot = crew.Find(other);
    renewed += slot != nullptr && Serves(*slot) && roll->IsNew(*slot->incumbent);
  }
  const std::string text = absl::StrCat(
      "roll aborted at slot ", index, ": ", reason, "; ", renewed, " of ",
      Counted(roll->total(), "slot"), " already run the new generation, all others are untouched");
  for (const CommandId id : roll->commands) ledger.Answer(id, Outcome::kFailed, text);
  const std::vector<SlotIndex> current = std::move(roll->current);
  roll.reset();
  // Who was to follow the others is not wanted any more. One that accepts already has to finish.
  for (const SlotIndex other : current) {
    Slot* const slot = crew.Find(other);
    if (slot == nullptr || !slot->successor.has_value() || !Serves(*slot)) continue;
    Worker& worker = *slot->successor;
    if (worker.state == WorkerState::kServing) {
      crew.Drain(now, worker, DrainKind::kHandOver, now + options.kill_timeout,
                 {slot->incumbent->id});
    } else if (worker.state != WorkerState::kDraining) {
      crew.Kill(now, worker, KillReason::kAborted);
    }
  }
}

}  // namespace uc::policy
