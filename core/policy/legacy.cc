// What a new coordinator makes of the workers that it finds: those that serve go on, those that had not got
// that far begin anew. A roll that was under way is not continued: nobody knows any more who waits for it.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {

void Supervisor::State::Inherit(const Legacy& legacy) {
  ever_ready = complete_once = true;
  wanted = std::clamp(legacy.workers_wanted, 1u, options.workers_max);
  crew.SetNextGeneration(legacy.newest_generation + 1);
  for (SlotIndex index = 0; index < wanted; ++index) crew.FindOrAdd(index);
  std::vector<Legacy::Found> workers = legacy.workers;
  std::sort(workers.begin(), workers.end(), [](const Legacy::Found& a, const Legacy::Found& b) {
    return a.worker.generation < b.worker.generation;
  });
  for (const Legacy::Found& found : workers) Inherit(found);
  for (const SlotIndex slot : legacy.listeners) {
    custody.Keep(slot);
    custody.Listens(slot);
  }
  for (const Legacy::Found& found : workers) {
    for (const SlotIndex slot : found.adopted) custody.Restore(slot, found.worker);
  }
  for (const auto& [index, count] : legacy.restart_counts) {
    if (Slot* const slot = crew.Find(index)) slot->restart_count = count;
  }
}

void Supervisor::State::Inherit(const Legacy::Found& found) {
  Slot& slot = crew.FindOrAdd(found.worker.slot);
  slot.wanted = slot.index < wanted;
  const auto sit = [&](Seat seat, WorkerState state) -> Worker& {
    crew.Enrol(now, slot, seat, found.worker, state, found.ready_at);
    return *(slot.*seat);
  };
  const Seat free_seat = !slot.leaving.has_value()     ? &Slot::leaving
                         : !slot.incumbent.has_value() ? &Slot::incumbent
                                                       : &Slot::successor;
  switch (found.state) {
    case WorkerState::kServing:
      if (slot.incumbent.has_value()) {
        // It was soaking, or its predecessor had not been told to leave yet.
        sit(&Slot::successor, WorkerState::kServing);
        PromoteSuccessor(slot);
      } else {
        sit(&Slot::incumbent, WorkerState::kServing);
      }
      return;
    case WorkerState::kStarting:
    case WorkerState::kProving:
      crew.Kill(now, sit(free_seat, WorkerState::kStarting), KillReason::kAborted);
      return;
    case WorkerState::kDraining:
    case WorkerState::kKilled:
      sit(free_seat, found.state);
      return;
  }
}

}  // namespace uc::policy
