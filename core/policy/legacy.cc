// What a new coordinator makes of the workers that it finds: those that serve go on, those that had not got
// that far begin anew. A roll that was under way is not continued: nobody knows any more who waits for it.
#include <algorithm>
#include <vector>

#include "core/policy/supervisor_state.h"

namespace uc::policy {

void Supervisor::State::Inherit(const Legacy& legacy) {
  ever_ready = complete_once = true;
  start->end_at = now + options.listen_timeout;
  wanted = std::clamp(legacy.workers_wanted, 1u, options.workers_max);
  for (SlotIndex index = 0; index < wanted; ++index) crew.FindOrAdd(index);
  std::vector<Legacy::Found> workers = legacy.workers;
  std::sort(workers.begin(), workers.end(), [](const Legacy::Found& a, const Legacy::Found& b) {
    return a.worker.generation > b.worker.generation;
  });
  const Generation newest = workers.empty() ? 0 : workers.front().worker.generation;
  crew.SetNextGeneration(std::max(legacy.newest_generation, newest) + 1);
  for (const Legacy::Found& found : workers) Inherit(found);
  for (const SlotIndex slot : legacy.listeners) custody.Keep(slot, std::nullopt);
  for (const Legacy::Found& found : workers) {
    for (const SlotIndex slot : found.adopted) custody.Restore(slot, found.worker);
  }
  for (const auto& [index, count] : legacy.restart_counts) {
    if (Slot* const slot = crew.Find(index)) slot->restart_count = count;
  }
  for (const SlotIndex index : legacy.stopped) {
    Slot* const slot = crew.Find(index);
    if (slot != nullptr && WorkerCount(*slot) == 0) slot->stopped_by = 0;
  }
  InheritLive();
}

// What was live is not known: the one before may have died before it took the bit of a dead worker away.
void Supervisor::State::InheritLive() {
  for (Slot& slot : crew.slots()) {
    if (slot.wanted && Serves(slot)) continue;  // ReviewLive() speaks of these
    if (Serves(slot)) slot.retire_at = now + options.retire_grace;
    if (slot.index < options.workers_max) actions.push_back(SetLive{slot.index, false});
  }
  for (const SlotIndex index : custody.kept()) {
    if (crew.Find(index) == nullptr && index < options.workers_max) {
      actions.push_back(SetLive{index, false});
    }
  }
}

void Supervisor::State::Inherit(const Legacy::Found& found) {
  Slot& slot = crew.FindOrAdd(found.worker.slot);
  slot.wanted = slot.index < wanted;
  if (!Crew::HasRoom(slot)) {  // a third one: some coordinator before the last did not see it
    actions.push_back(Kill{found.worker, KillReason::kAborted});
    return;
  }
  const Seat free_seat = !slot.leaving.has_value()     ? &Slot::leaving
                         : !slot.successor.has_value() ? &Slot::successor
                                                       : &Slot::incumbent;
  switch (found.state) {
    case WorkerState::kServing:
      if (!slot.incumbent.has_value()) {
        crew.Enrol(now, slot, &Slot::incumbent, found);
        return;
      }
      // The younger one was soaking, or this one had not been told to leave yet.
      crew.Enrol(now, slot, free_seat, found);
      crew.Drain(now, *(slot.*free_seat), DrainKind::kHandOver, now + options.kill_timeout,
                 {slot.incumbent->id});
      return;
    case WorkerState::kStarting:
    case WorkerState::kProving:
      crew.Enrol(now, slot, free_seat, found);
      crew.Kill(now, *(slot.*free_seat), KillReason::kAborted);
      return;
    case WorkerState::kDraining:
    case WorkerState::kKilled:
      crew.Enrol(now, slot, free_seat, found);
      return;
  }
}

}  // namespace uc::policy
