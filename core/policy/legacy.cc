// What a new coordinator makes of the workers that it finds: those that serve go on, those that had not got
// that far begin anew. A roll that was under way is not continued: nobody knows any more who waits for it.
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {

namespace {

// Nobody is in it but one that leaves.
bool Ends(const Slot& slot) {
  return std::all_of(std::begin(kSeats), std::end(kSeats), [&](Seat seat) {
    return !(slot.*seat).has_value() || (slot.*seat)->state == WorkerState::kDraining;
  });
}

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
    if (!Accepts(found.state) || found.worker.slot >= options.workers_max) continue;
    wanted = std::max(wanted, found.worker.slot + 1);
  }
  return wanted > 0 ? wanted : options.workers;
}

// 2: it has clients and takes more; 1: it has some; 0: it has none, or is to be killed.
int ClientsOf(WorkerState state) {
  return Accepts(state) ? 2 : state == WorkerState::kDraining ? 1 : 0;
}

// As the one that is to stay: it serves and has answered; its row says that it serves; its program has ended.
int Worth(const Worker& worker) {
  if (worker.state != WorkerState::kServing) return 0;
  return worker.unheard ? 1 : 2;
}

// nullptr: there is none. A third one gets a seat only if it has clients to give away.
Seat FreeSeat(const Slot& slot, WorkerState state) {
  const auto free = [&](Seat seat) { return !(slot.*seat).has_value(); };
  if (Accepts(state)) {
    const auto seat = std::find_if(std::begin(kSeats), std::end(kSeats), free);
    return seat == std::end(kSeats) ? nullptr : *seat;
  }
  if (!Crew::HasRoom(slot)) return nullptr;
  return *std::find_if(std::rbegin(kSeats), std::rend(kSeats), free);
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
  // Who has clients gets its seat first, the oldest first.
  std::vector<Legacy::Found> seated(workers.rbegin(), workers.rend());
  std::stable_sort(seated.begin(), seated.end(), [](const auto& a, const auto& b) {
    return ClientsOf(a.state) > ClientsOf(b.state);
  });
  for (const Legacy::Found& found : seated) Inherit(found);
  for (Slot& slot : crew.slots()) SettleInherited(slot);
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
    if (slot != nullptr && Ends(*slot)) slot->stopped_by = 0;
  }
  InheritLive(legacy);
}

// What is live may be untrue: the one before may have died before it took the bit of a dead worker away, and a worker
// of a slot that nobody wants may have died while there was no coordinator.
void Supervisor::State::InheritLive(const Legacy& legacy) {
  Fitness best = Fitness::kRestarting;
  for (const Slot& slot : crew.slots()) best = std::max(best, FitnessOf(slot));
  for (Slot& slot : crew.slots()) {
    // ReviewLive() speaks of these: all that serve, and where nobody does all that are restarting.
    if (slot.wanted && FitnessOf(slot) == best) continue;
    if (Accepts(slot)) slot.retire_at = now + options.retire_grace;
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
  const Seat seat = FreeSeat(slot, found.state);
  if (seat == nullptr) {  // some coordinator before the last did not see it, or rows are damaged
    actions.push_back(Kill{found.worker, KillReason::kAborted});
    return;
  }
  crew.Enrol(now, slot, seat, found);
  switch (found.state) {
    case WorkerState::kServing:  // SettleInherited() goes on
    case WorkerState::kRestarting:
    case WorkerState::kDraining:
      return;
    case WorkerState::kStarting:
    case WorkerState::kProving:
      crew.Kill(now, *(slot.*seat), KillReason::kAborted);
      return;
    case WorkerState::kKilled:  // whether that was done is not known; twice does no harm
      actions.push_back(Kill{found.worker, KillReason::kAborted});
      return;
  }
}

// A younger one that serves was soaking, or the older one had not been told to leave yet. Nobody knows, so it soaks
// anew. Not if its program has ended; and of three in a slot the best has to be enough, the
// oldest of equals.
void Supervisor::State::SettleInherited(Slot& slot) {
  if (!slot.incumbent.has_value() || !slot.successor.has_value() ||
      !Accepts(slot.successor->state)) {
    return;
  }
  const bool third = slot.leaving.has_value() && Accepts(slot.leaving->state);
  if (!third && slot.successor->state == WorkerState::kServing) {
    Worker& worker = *slot.successor;
    worker.soaked_at = worker.unheard ? absl::InfiniteFuture() : now + options.soak;
    return;
  }
  for (const Seat seat : {&Slot::successor, &Slot::leaving}) {
    if (!(slot.*seat).has_value() || Worth(*(slot.*seat)) <= Worth(*slot.incumbent)) continue;
    std::swap(slot.incumbent, slot.*seat);
  }
  if (!slot.leaving.has_value()) std::swap(slot.successor, slot.leaving);
  const std::vector<WorkerId> heirs = crew.HeirsFor(slot);
  for (const Seat seat : {&Slot::successor, &Slot::leaving}) {
    if (!(slot.*seat).has_value() || !Accepts((slot.*seat)->state)) continue;
    crew.Drain(now, *(slot.*seat), DrainKind::kHandOver, now + options.kill_timeout, heirs);
  }
}

// Its row was believed, and nothing obliges a row to be true. What we have asked of it meanwhile it hears after this.
void Supervisor::State::On(const LateHello& event) {
  using Phase = LateHello::Phase;
  const Place place = crew.Find(event.worker);
  const bool inherited = place.slot != nullptr && place.worker().inherited;
  const bool accepts = inherited && Accepts(place.worker().state);
  const bool drains = inherited && place.worker().state == WorkerState::kDraining;
  if (!accepts && !drains) {
    ++events_ignored;
    return;
  }
  switch (event.phase) {
    case Phase::kProving:
      if (accepts) return WasNeverAdmitted(place);
      break;
    case Phase::kDraining:
      if (accepts) return LeavesAlready(place);
      place.worker().perhaps_untold = false;
      return;
    case Phase::kRestarting:
      if (place.worker().state == WorkerState::kServing) {
        On(ProgramEnded{event.worker, false, "ended while there was no coordinator", std::nullopt});
      }
      break;
    case Phase::kServing:
      if (place.worker().state == WorkerState::kRestarting) On(WorkerReady{event.worker});
      if (accepts && std::exchange(place.worker().unheard, false) &&
          place.seat == &Slot::successor) {
        place.worker().soaked_at = now + options.soak;
      }
      break;
  }
  if (!drains || !place.worker().perhaps_untold || ending.has_value()) return;
  crew.Drain(now, place.worker(), DrainKind::kPrompt, place.worker().deadline,
             crew.HeirsFor(*place.slot));
}

void Supervisor::State::LeavesAlready(const Place& place) {
  Slot& slot = *place.slot;
  Say(Report::Level::kWarning,
      absl::StrCat(Name(place.worker().id), ": was leaving when this coordinator came"));
  if (place.seat == &Slot::incumbent) crew.SetLive(slot, false);
  crew.BeginDrain(now, place.worker());
  // Another one can be born beside it at once.
  if (place.seat == &Slot::incumbent && !slot.leaving.has_value()) {
    slot.leaving = std::exchange(slot.incumbent, std::nullopt);
    slot.spawn_at = now;
  }
}

void Supervisor::State::WasNeverAdmitted(const Place& place) {
  Say(Report::Level::kWarning,
      absl::StrCat(Name(place.worker().id), ": had not been admitted; it begins anew"));
  if (place.seat == &Slot::incumbent) crew.SetLive(*place.slot, false);
  crew.Kill(now, place.worker(), KillReason::kAborted);
  place.worker().dismissed = true;
}

void Supervisor::State::On(const LateHolds& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr || !Accepts(place.worker().state) || event.slot >= kWorkersMax) {
    ++events_ignored;  // who leaves lets go by itself
    return;
  }
  custody.HeldBesides(event.slot, event.worker);
}

}  // namespace uc::policy
