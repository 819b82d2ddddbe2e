// What a new coordinator makes of the workers that it finds: those that serve go on, those that had not got
// that far begin anew. A roll that was under way is not continued: nobody knows any more who waits for it.
#include <algorithm>
#include <set>
#include <vector>

#include "core/policy/supervisor_state.h"

namespace uc::policy {

namespace {

bool CanBe(const WorkerId& id) {
  return id.slot < kWorkersMax && id.generation >= 1 && id.generation <= kGenerationMax;
}

// A number that cannot be would end the cluster, or make it as large as it may be: what serves stays.
uint32_t Wanted(const Legacy& legacy, const SupervisorOptions& options) {
  if (legacy.workers_wanted >= 1 && legacy.workers_wanted <= options.workers_max) {
    return legacy.workers_wanted;
  }
  uint32_t wanted = 0;
  for (const Legacy::Found& found : legacy.workers) {
    if (found.state != WorkerState::kServing || found.worker.slot >= options.workers_max) continue;
    wanted = std::max(wanted, found.worker.slot + 1);
  }
  return wanted > 0 ? wanted : options.workers;
}

Generation Newest(const Legacy& legacy) {
  Generation newest = legacy.newest_generation <= kGenerationMax ? legacy.newest_generation : 0;
  for (const Legacy::Found& found : legacy.workers) {
    if (CanBe(found.worker)) newest = std::max(newest, found.worker.generation);
  }
  return newest;
}

}  // namespace

void Supervisor::State::Inherit(const Legacy& legacy) {
  ever_ready = complete_once = true;
  start->end_at = now + options.listen_timeout;
  wanted = Wanted(legacy, options);
  for (SlotIndex index = 0; index < wanted; ++index) crew.FindOrAdd(index);
  std::vector<Legacy::Found> workers = legacy.workers;
  std::sort(workers.begin(), workers.end(), [](const Legacy::Found& a, const Legacy::Found& b) {
    return a.worker.generation > b.worker.generation;
  });
  crew.SetNextGeneration(Newest(legacy) + 1);
  for (const Legacy::Found& found : workers) Inherit(found);
  for (const SlotIndex slot : legacy.listeners) {
    if (slot < kWorkersMax) custody.Keep(slot, std::nullopt);
  }
  for (const Legacy::Found& found : workers) {
    if (crew.Find(found.worker).slot == nullptr) continue;
    for (const SlotIndex slot : found.adopted) {
      if (slot < kWorkersMax) custody.Restore(slot, found.worker);
    }
  }
  for (const auto& [index, count] : legacy.restart_counts) {
    if (Slot* const slot = crew.Find(index)) slot->restart_count = count;
  }
  for (const SlotIndex index : legacy.stopped) {
    Slot* const slot = crew.Find(index);
    if (slot != nullptr && WorkerCount(*slot) == 0) slot->stopped_by = 0;
  }
  InheritLive(legacy);
}

// What is live may be untrue: the one before may have died before it took the bit of a dead worker away, and a worker
// of a slot that nobody wants may have died while there was no coordinator.
void Supervisor::State::InheritLive(const Legacy& legacy) {
  for (Slot& slot : crew.slots()) {
    if (slot.wanted && Serves(slot)) continue;  // ReviewLive() speaks of these
    if (Serves(slot)) slot.retire_at = now + options.retire_grace;
    if (slot.index < options.workers_max) actions.push_back(SetLive{slot.index, false});
  }
  const std::vector<SlotIndex> kept = custody.kept();
  std::set<SlotIndex> empty(kept.begin(), kept.end());
  empty.insert(legacy.live.begin(), legacy.live.end());
  for (const SlotIndex index : empty) {
    if (crew.Find(index) == nullptr && index < options.workers_max) {
      actions.push_back(SetLive{index, false});
    }
  }
}

void Supervisor::State::Inherit(const Legacy::Found& found) {
  if (!CanBe(found.worker)) {
    actions.push_back(Kill{found.worker, KillReason::kAborted});
    return;
  }
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
      crew.Enrol(now, slot, free_seat, found);
      return;
    case WorkerState::kKilled:  // whether that was done is not known; twice does no harm
      crew.Enrol(now, slot, free_seat, found);
      actions.push_back(Kill{found.worker, KillReason::kAborted});
      return;
  }
}

}  // namespace uc::policy
