#include "core/policy/crew.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::policy {

int WorkerCount(const Slot& slot) {
  return slot.incumbent.has_value() + slot.successor.has_value() + slot.leaving.has_value();
}

bool Serves(const Slot& slot) {
  return slot.incumbent.has_value() && slot.incumbent->state == WorkerState::kServing;
}

bool Healthy(const Slot& slot) { return Serves(slot) && !slot.incumbent->suspect; }

bool Accepts(WorkerState state) {
  return state == WorkerState::kServing || state == WorkerState::kRestarting;
}

bool Accepts(const Slot& slot) {
  return slot.incumbent.has_value() && Accepts(slot.incumbent->state);
}

bool ServesOn(const Slot& slot) { return Accepts(slot) && !slot.incumbent->ended_for_good; }

bool AwaitsProgram(const Slot& slot) {
  return ServesOn(slot) && slot.incumbent->state == WorkerState::kRestarting &&
         !slot.incumbent->program_asked;
}

bool SuccessorMayWait(const Slot& slot, absl::Time now) {
  if (Serves(slot)) return true;
  return ServesOn(slot) && (slot.incumbent->program_asked || slot.spawn_at <= now);
}

Fitness FitnessOf(const Slot& slot) {
  if (Healthy(slot)) return Fitness::kHealthy;
  if (!Accepts(slot)) return Fitness::kNone;
  const bool beside = slot.successor.has_value() && slot.successor->state == WorkerState::kServing;
  return Serves(slot) || beside ? Fitness::kServes : Fitness::kRestarting;
}

bool SuccessorComes(const Slot& slot) {
  if (!slot.successor.has_value()) return false;
  const WorkerState state = slot.successor->state;
  return state != WorkerState::kDraining && state != WorkerState::kKilled;
}

std::string Name(const WorkerId& id) {
  return absl::StrCat("slot ", id.slot, ", generation ", id.generation);
}

Crew::Crew(const SupervisorOptions& options, Actions* actions)
    : options_(options), actions_(*actions) {}

Slot* Crew::Find(SlotIndex index) {
  const auto slot = std::lower_bound(slots_.begin(), slots_.end(), index,
                                     [](const Slot& a, SlotIndex b) { return a.index < b; });
  return slot != slots_.end() && slot->index == index ? &*slot : nullptr;
}

Place Crew::Find(const WorkerId& id) {
  Slot* const slot = Find(id.slot);
  if (slot == nullptr) return {};
  for (const Seat seat : kSeats) {
    if ((slot->*seat).has_value() && (slot->*seat)->id == id) return {slot, seat};
  }
  return {};
}

Slot& Crew::FindOrAdd(SlotIndex index) {
  const auto slot = std::lower_bound(slots_.begin(), slots_.end(), index,
                                     [](const Slot& a, SlotIndex b) { return a.index < b; });
  if (slot != slots_.end() && slot->index == index) return *slot;
  Slot added;
  added.index = index;
  return *slots_.insert(slot, std::move(added));
}

void Crew::SweepEmptySlots() {
  const auto gone = [](const Slot& slot) { return !slot.wanted && WorkerCount(slot) == 0; };
  slots_.erase(std::remove_if(slots_.begin(), slots_.end(), gone), slots_.end());
}

bool Crew::Empty() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return WorkerCount(slot) == 0; });
}

int Crew::Serving() const {
  return static_cast<int>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.wanted && Serves(slot); }));
}

bool Crew::MayStart() const {
  uint32_t starting = 0;
  for (const Slot& slot : slots_) {
    for (const Seat seat : kSeats) {
      const std::optional<Worker>& worker = slot.*seat;
      if (!worker.has_value()) continue;
      starting += worker->state == WorkerState::kStarting ||
                  (worker->state == WorkerState::kRestarting && worker->program_asked);
    }
  }
  return starting < options_.starting_max;
}

bool Crew::HasRoom(const Slot& slot) { return WorkerCount(slot) < 2; }

void Crew::Enrol(absl::Time now, Slot& slot, Seat seat, const Legacy::Found& found) {
  UC_CHECK(!(slot.*seat).has_value() && (HasRoom(slot) || Accepts(found.state)));
  Worker worker;
  worker.id = found.worker;
  worker.state = found.state;
  worker.since = now;
  if (Accepts(found.state)) worker.ready_at = std::min(found.ready_at, now);
  worker.deadline =
      found.state == WorkerState::kDraining ? now + options_.kill_timeout : absl::InfiniteFuture();
  // What was asked to leave, or has to begin anew, ends as no crash.
  worker.dismissed = !Accepts(found.state);
  worker.inherited = true;
  worker.unheard = !found.answered;
  worker.perhaps_untold = found.state == WorkerState::kDraining;
  slot.*seat = worker;
  slot.closed = false;
  slot.tried = true;
}

void Crew::Spawn(absl::Time now, Slot& slot, Seat seat) {
  UC_CHECK(!(slot.*seat).has_value() && HasRoom(slot) && slot.wanted && next_generation_ != 0);
  slot.stopped_by.reset();
  slot.tried = true;
  Worker worker;
  worker.id = {slot.index, next_generation_++};
  worker.since = now;
  worker.deadline = now + options_.listen_timeout;
  slot.*seat = worker;
  slot.closed = false;
  actions_.push_back(
      policy::Spawn{worker.id, seat == &Slot::successor ? Entry::kOnAdmission : Entry::kAtOnce});
}

void Crew::Ready(absl::Time now, Slot& slot, Seat seat) {
  Worker& worker = *(slot.*seat);
  UC_CHECK(worker.state == WorkerState::kStarting ||
           (worker.state == WorkerState::kRestarting && seat == &Slot::incumbent));
  worker.ready_at = now;
  worker.program_asked = worker.ended_for_good = worker.done = false;
  if (seat == &Slot::successor) {
    worker.state = WorkerState::kProving;
    worker.since = now;
    worker.settled_at = now + options_.settle;
    worker.proven = !options_.probing;
    worker.deadline = options_.probing ? now + options_.listen_timeout : absl::InfiniteFuture();
    if (options_.probing) actions_.push_back(Probe{worker.id});
    return;
  }
  worker.state = WorkerState::kServing;
  worker.since = now;
  worker.deadline = absl::InfiniteFuture();
}

void Crew::Admit(absl::Time now, Worker& worker) {
  UC_CHECK(worker.state == WorkerState::kProving);
  worker.state = WorkerState::kServing;
  worker.since = now;
  worker.deadline = absl::InfiniteFuture();
  worker.soaked_at = now + options_.soak;
  actions_.push_back(policy::Admit{worker.id});
}

void Crew::BeginRestart(absl::Time now, Worker& worker) {
  UC_CHECK(worker.state == WorkerState::kServing ||
           (worker.state == WorkerState::kRestarting && worker.program_asked));
  if (worker.state == WorkerState::kServing) worker.since = now;
  worker.state = WorkerState::kRestarting;
  worker.program_asked = false;
}

void Crew::StartProgram(Worker& worker) {
  UC_CHECK(worker.state == WorkerState::kRestarting && !worker.program_asked);
  worker.program_asked = true;
  actions_.push_back(policy::StartProgram{worker.id});
}

void Crew::Promote(Slot& slot) {
  UC_CHECK(slot.successor.has_value());
  if (slot.incumbent.has_value()) {
    UC_CHECK(!slot.leaving.has_value());
    slot.leaving = std::exchange(slot.incumbent, std::nullopt);
  }
  slot.incumbent = std::exchange(slot.successor, std::nullopt);
}

std::vector<WorkerId> Crew::HeirsBeside(const Slot& slot) const {
  std::vector<WorkerId> staying, retiring;
  for (const Slot& other : slots_) {
    if (other.index == slot.index || !Healthy(other)) continue;
    (other.wanted ? staying : retiring).push_back(other.incumbent->id);
  }
  return staying.empty() ? retiring : staying;
}

std::vector<WorkerId> Crew::HeirsFor(const Slot& slot) const {
  std::vector<WorkerId> heirs;
  if (!Healthy(slot)) heirs = HeirsBeside(slot);
  if (heirs.empty() && Accepts(slot)) heirs = {slot.incumbent->id};
  return heirs;
}

void Crew::Drain(absl::Time now, Worker& worker, DrainKind kind, absl::Time deadline,
                 const std::vector<WorkerId>& heirs) {
  UC_CHECK(Accepts(worker.state) || worker.state == WorkerState::kDraining);
  if (worker.state != WorkerState::kDraining) worker.since = now;
  worker.state = WorkerState::kDraining;
  worker.deadline = deadline;
  worker.dismissed = true;
  worker.prompt = kind == DrainKind::kPrompt;
  worker.perhaps_untold = false;
  policy::Drain drain{worker.id, kind, deadline - now, {}};
  for (const WorkerId& heir : heirs) {
    const Place place = Find(heir);
    if (heir == worker.id || place.slot == nullptr) continue;
    if (Accepts(place.worker().state)) drain.heirs.push_back(heir);
  }
  actions_.push_back(std::move(drain));
}

void Crew::BeginDrain(absl::Time now, Worker& worker) {
  UC_CHECK(Accepts(worker.state));
  worker.state = WorkerState::kDraining;
  worker.since = now;
  worker.deadline = now + options_.kill_timeout;
  worker.dismissed = true;
}

void Crew::Kill(absl::Time now, Worker& worker, KillReason reason) {
  if (worker.state == WorkerState::kKilled) return;
  worker.state = WorkerState::kKilled;
  worker.since = now;
  worker.deadline = absl::InfiniteFuture();
  actions_.push_back(policy::Kill{worker.id, reason});
}

void Crew::SetLive(Slot& slot, bool live) {
  if (slot.live == live) return;
  UC_CHECK(!live || Accepts(slot));
  slot.live = live;
  actions_.push_back(policy::SetLive{slot.index, live});
}

void Crew::Close(Slot& slot) {
  UC_CHECK(!slot.closed && !slot.live && !slot.wanted);
  slot.closed = true;
  if (!slot.leaving.has_value()) slot.leaving = std::exchange(slot.incumbent, std::nullopt);
}

}  // namespace uc::policy
