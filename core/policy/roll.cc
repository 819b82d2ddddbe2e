// The roll: every incumbent is replaced, roll_width slots at a time, and the old one is only asked to leave
// when its successor has proved itself: READY, probed, settled, admitted, soaked.
#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

// Beside an incumbent that does not serve on, or not yet: it outlives an aborted roll.
bool SuccessorStays(const Slot& slot) {
  if (!SuccessorComes(slot)) return false;
  return !ServesOn(slot) || (slot.successor->state == WorkerState::kServing && !Serves(slot));
}

}  // namespace

void Supervisor::State::Begin(CommandId id, const Reload&) {
  ledger.Open(id);
  queued_reloads.push_back(id);
  if (roll.has_value() && roll->recycling.has_value()) {
    ledger.Tell(id, "a worker is being recycled; the roll follows");
  } else if (roll.has_value()) {
    ledger.Tell(id, "another roll is under way; this one follows it");
  } else if (!restarts.empty()) {
    ledger.Tell(id, "a restart is under way; the roll follows it");
  }
}

bool Supervisor::State::BeginRoll() {
  if (!restarts.empty()) return false;
  if (queued_reloads.empty()) return BeginRecycling();
  roll = Roll{};
  roll->width = options.roll_width;
  roll->commands = std::exchange(queued_reloads, {});
  roll->first_generation = crew.next_generation();
  for (const Slot& slot : crew.slots()) {
    if (slot.wanted) roll->ahead.push_back(slot.index);
  }
  return true;
}

// Retired slots leave the roll, so that its total stays true; those that are wanted again before their old
// worker was told to leave come back to it.
void Supervisor::State::ReviewRoll() {
  std::deque<SlotIndex>& ahead = roll->ahead;
  std::erase_if(ahead, [this](SlotIndex index) {
    const Slot* const slot = crew.Find(index);
    return slot == nullptr || !slot->wanted;
  });
  if (roll->recycling.has_value()) return;
  for (const Slot& slot : crew.slots()) {
    if (!slot.wanted || !slot.incumbent.has_value() || roll->IsNew(*slot.incumbent)) continue;
    const auto place = std::lower_bound(ahead.begin(), ahead.end(), slot.index);
    if (roll->Renews(slot.index) || (place != ahead.end() && *place == slot.index)) continue;
    ahead.insert(place, slot.index);
  }
}

void Supervisor::State::AdvanceRoll() {
  while (roll.has_value() || BeginRoll()) {
    ReviewRoll();
    while (roll->current.size() < roll->width && !roll->ahead.empty()) {
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
  if (slot == nullptr || !slot->wanted) {
    if (slot != nullptr) DismissSuccessor(*slot);
    return true;
  }
  if (Serves(*slot) && roll->IsNew(*slot->incumbent)) {
    // At most roll_width slots have a worker too many, which bounds the memory of a roll.
    if (WorkerCount(*slot) > 1) return false;
    const std::string text =
        absl::StrCat("slot ", slot->index, ": done ", roll->done + 1, "/", roll->total());
    for (const CommandId id : roll->commands) ledger.Tell(id, text);
    ++roll->done;
    return true;
  }
  if (slot->stopped_by.value_or(0) >= roll->first_generation) return true;  // it has had its turn
  // Only who serves is recycled.
  if (roll->recycling.has_value() && !Serves(*slot) && !SuccessorComes(*slot)) return true;
  if (slot->successor.has_value() || !Crew::HasRoom(*slot) || !crew.MayStart()) return false;
  if (Accepts(*slot)) {
    crew.Spawn(now, *slot, &Slot::successor);
  } else if (!slot->incumbent.has_value()) {
    Wake(*slot);
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
  if (event.passed) {  // AdmitProven() goes on
    worker.proven = true;
    worker.deadline = absl::InfiniteFuture();
    return;
  }
  worker.failure = OneLine(event.reason);
  crew.Kill(now, worker, KillReason::kAborted);
  StartFailed(worker, Fault::kOperator, worker.failure);
}

// One that is the slot's only hope does not settle.
void Supervisor::State::AdmitProven() {
  for (Slot& slot : crew.slots()) {
    if (!slot.successor.has_value()) continue;
    Worker& worker = *slot.successor;
    if (worker.state != WorkerState::kProving || !worker.proven) continue;
    if (now >= worker.settled_at || !SuccessorMayWait(slot, now)) crew.Admit(now, worker);
  }
}

// A successor waits for the end of its soak; one that is the slot's only hope does not. The end of the old program is
// no reason to hurry while it is started again at once: its worker keeps the requests that wait for it, and would have
// to refuse them when it leaves.
void Supervisor::State::PromoteSoaked() {
  for (Slot& slot : crew.slots()) {
    if (!slot.successor.has_value() || slot.successor->state != WorkerState::kServing) continue;
    const bool soaked = !slot.successor->suspect && now >= slot.successor->soaked_at;
    if (soaked || !SuccessorMayWait(slot, now)) PromoteSuccessor(slot);
  }
}

void Supervisor::State::PromoteSuccessor(Slot& slot) {
  crew.Promote(slot);
  if (roll.has_value() && !roll->recycling.has_value()) slot.restarts = RestartPolicy();
  if (slot.wanted) crew.SetLive(slot, true);
  std::string text =
      absl::StrCat("slot ", slot.index, ": generation ", slot.incumbent->id.generation, " ready");
  if (slot.leaving.has_value()) {
    if (Accepts(slot.leaving->state)) {
      crew.Drain(now, *slot.leaving, DrainKind::kHandOver, now + options.kill_timeout,
                 crew.HeirsFor(slot));
    }
    absl::StrAppend(&text, ", draining generation ", slot.leaving->id.generation);
  }
  TellWaiting(slot, text);
}

void Supervisor::State::FinishRoll() {
  if (roll->recycling.has_value()) return FinishRecycling();
  std::string text = absl::StrCat("rolled ", Counted(roll->done, "slot"));
  if (roll->killed > 0) {
    absl::StrAppend(&text, "; ", Counted(roll->killed, "old worker"), " had to be killed after ",
                    Shown(options.kill_timeout));
  }
  for (const CommandId id : roll->commands) ledger.Answer(id, Outcome::kDone, text);
  roll.reset();
}

void Supervisor::State::AbortRoll(SlotIndex index, const std::string& reason) {
  if (roll->recycling.has_value()) return AbortRecycling(reason);
  size_t renewed = roll->done, taken = 0;
  for (const SlotIndex other : roll->current) {
    const Slot* const slot = crew.Find(other);
    if (slot == nullptr) continue;
    const bool is_new = slot->incumbent.has_value() && roll->IsNew(*slot->incumbent);
    renewed += Serves(*slot) && is_new;
    const bool next = options.restarts.autorestart && (is_new || !slot->incumbent.has_value());
    taken += !Serves(*slot) && (next || SuccessorStays(*slot));
  }
  std::string text =
      absl::StrCat("roll aborted at slot ", index, ": ", reason, "; ", renewed, " of ",
                   Counted(roll->total(), "slot"), " already run the new generation, ");
  if (taken > 0) {
    absl::StrAppend(&text, taken, taken == 1 ? " more gets" : " more get",
                    " it because the old worker does not serve, ");
  }
  absl::StrAppend(&text, "all others are untouched");
  for (const CommandId id : roll->commands) ledger.Answer(id, Outcome::kFailed, text);
  EndRoll();
}

void Supervisor::State::EndRoll() {
  const Roll ended = *std::exchange(roll, std::nullopt);
  for (const SlotIndex index : ended.current) {
    Slot* const slot = crew.Find(index);
    // One that this coordinator found is not of this roll, which has waited for its soak.
    if (slot == nullptr || !slot->successor.has_value() || !ended.IsNew(*slot->successor)) continue;
    DismissSuccessor(*slot);
  }
}

void Supervisor::State::DismissSuccessor(Slot& slot) {
  if (!SuccessorComes(slot) || !ServesOn(slot)) return;  // it may be the slot's only hope
  Worker& worker = *slot.successor;
  if (SuccessorStays(slot)) {
    worker.called_off = true;  // it serves in the incumbent's stead, or follows it: PromoteSoaked()
    worker.soaked_at = absl::InfiniteFuture();
  } else if (worker.state == WorkerState::kServing) {  // it accepts already, so it has to finish
    crew.Drain(now, worker, DrainKind::kHandOver, now + options.kill_timeout, crew.HeirsFor(slot));
  } else {
    crew.Kill(now, worker, KillReason::kAborted);
  }
}

void Supervisor::State::DismissCalledOff() {
  for (Slot& slot : crew.slots()) {
    if (slot.successor.has_value() && slot.successor->called_off && Serves(slot)) {
      DismissSuccessor(slot);
    }
  }
}

}  // namespace uc::policy
