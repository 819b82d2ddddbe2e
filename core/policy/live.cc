// Who may be sent new connections, and what is done with slots that nobody wants: health, the live set,
// retirement.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

constexpr absl::Duration kReportEvery = absl::Minutes(1);  // of one worker, of one kind

}  // namespace

void Supervisor::State::On(const HealthObserved& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr) {
    ++events_ignored;
    return;
  }
  Worker& worker = place.worker();
  // Those that start or leave have a deadline of their own.
  if (!Accepts(worker.state)) return;
  switch (event.health) {
    case Health::kWell:
      Trust(worker);
      return;
    case Health::kStarved:
      if (now < worker.starved_report_after) return;
      worker.starved_report_after = now + kReportEvery;
      Say(Report::Level::kWarning,
          absl::StrCat(Name(worker.id),
                       ": starved, the machine gives it no CPU; it is left alone"));
      return;
    case Health::kSuspect:
      Suspect(*place.slot, worker);
      return;
    case Health::kStuck:
      if (place.seat == &Slot::incumbent) crew.SetLive(*place.slot, false);
      crew.Kill(now, worker, KillReason::kStuck);
      Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": stuck, so it is killed"));
      if (place.seat == &Slot::successor) {
        worker.failure = "stuck, though it had been ready";
        StartFailed(worker, Fault::kOperator, worker.failure);
      }
      return;
  }
}

void Supervisor::State::Suspect(Slot& slot, Worker& worker) {
  if (worker.suspect) return;
  worker.suspect = true;
  if (worker.soaked_at != absl::InfiniteFuture()) worker.soaked_at = now + options.soak;
  if (now < worker.suspect_report_after) return;
  worker.suspect_report_after = now + kReportEvery;
  worker.suspect_told = true;
  Say(Report::Level::kWarning,
      absl::StrCat(Name(worker.id), ": silent while work waits for it; ",
                   slot.incumbent->id == worker.id ? "others take its new connections meanwhile"
                                                   : "its soak begins anew"));
}

void Supervisor::State::Trust(Worker& worker) {
  if (!std::exchange(worker.suspect, false)) return;
  if (worker.soaked_at != absl::InfiniteFuture()) worker.soaked_at = now + options.soak;
  if (!std::exchange(worker.suspect_told, false)) return;
  Say(Report::Level::kInfo, absl::StrCat(Name(worker.id), ": answers again"));
}

void Supervisor::State::ReviewLive() {
  const absl::Span<Slot> slots = crew.slots();
  Fitness best = Fitness::kNone;
  for (const Slot& slot : slots) {
    if (slot.wanted) best = std::max(best, FitnessOf(slot));
  }
  // Up before down: in between new connections must have somewhere to go.
  if (best < Fitness::kServes && !AllStopped()) {  // those that retire serve nobody's stead then
    if (Slot* const last = LastResort(best)) {
      best = std::max(best, FitnessOf(*last));
      crew.SetLive(*last, true);
    }
  }
  for (const bool live : {true, false}) {
    for (Slot& slot : slots) {
      if (!slot.wanted || !Accepts(slot) || (FitnessOf(slot) == best) != live) continue;
      if (slot.live && !live) slot.retire_at = now + options.retire_grace;
      crew.SetLive(slot, live);
    }
  }
}

Slot* Supervisor::State::LastResort(Fitness least) {
  Slot* last = nullptr;
  for (Slot& slot : crew.slots()) {
    if (slot.wanted || slot.closed || slot.index >= options.workers_max) continue;
    const Fitness fitness = FitnessOf(slot);
    if (slot.live && fitness >= Fitness::kServes) return &slot;  // as it is
    const Fitness other = last == nullptr ? least : FitnessOf(*last);
    if (fitness > other || (fitness == other && last != nullptr && slot.live)) last = &slot;
  }
  return last;
}

void Supervisor::State::RetireUnwanted() {
  const absl::Span<Slot> slots = crew.slots();
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->wanted || slot->closed) continue;
    if (Accepts(*slot) && IsLastLive(*slot)) continue;
    if (slot->live) {
      crew.SetLive(*slot, false);
      slot->retire_at = now + options.retire_grace;
    }
    if (!Accepts(*slot) || slot->retire_at <= now) Retire(*slot);
  }
}

void Supervisor::State::Retire(Slot& slot) {
  std::vector<WorkerId> members;
  for (const Seat seat : {&Slot::incumbent, &Slot::successor}) {
    if ((slot.*seat).has_value()) members.push_back((slot.*seat)->id);
  }
  crew.Close(slot);
  EvacuateRetired();  // before they hear that they have to leave: the kernel moves what they do not take
  for (const WorkerId& id : members) {
    Worker& worker = crew.Find(id).worker();
    if (Accepts(worker.state)) {
      crew.Drain(now, worker, DrainKind::kHandOver, now + options.kill_timeout,
                 crew.HeirsBeside(slot));
    } else if (worker.state == WorkerState::kStarting || worker.state == WorkerState::kProving) {
      crew.Kill(now, worker, KillReason::kAborted);
    }
    worker.dismissed = true;
  }
}

void Supervisor::State::EvacuateRetired() {
  if (options.retirement != Retirement::kMigrate) return;
  const absl::Span<Slot> slots = crew.slots();
  if (std::none_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.live; })) return;
  for (const SlotIndex index : custody.kept()) {
    const Slot* const slot = crew.Find(index);
    if (slot != nullptr && (slot->wanted || !slot->closed)) continue;
    custody.Drop(index, crew);
    actions.push_back(Evacuate{index});
  }
}

void Supervisor::State::EvacuateStopped() {
  const absl::Span<Slot> slots = crew.slots();
  const auto accepts = [](const Slot& slot) { return Accepts(slot); };
  if (!AllStopped() || std::any_of(slots.begin(), slots.end(), accepts)) return;
  for (const SlotIndex index : custody.kept()) {
    custody.Drop(index, crew);
    actions.push_back(Evacuate{index});
  }
}

bool Supervisor::State::AllStopped() const {
  // A roll renews them all, sooner or later.
  const bool rolls = roll.has_value() && !roll->recycling.has_value();
  if (rolls || !queued_reloads.empty()) return false;
  return std::all_of(crew.slots().begin(), crew.slots().end(), [](const Slot& slot) {
    return !slot.wanted || (slot.stopped_by.has_value() && WorkerCount(slot) == 0);
  });
}

bool Supervisor::State::IsLastLive(const Slot& slot) const {
  return !AllStopped() &&
         std::none_of(crew.slots().begin(), crew.slots().end(), [&](const Slot& other) {
           return other.live && other.index != slot.index &&
                  (Healthy(other) || (!Serves(slot) && Accepts(other)));
         });
}

bool Supervisor::State::LastLiveIsUnwanted() const {
  return std::any_of(crew.slots().begin(), crew.slots().end(), [this](const Slot& slot) {
    return slot.live && !slot.wanted && IsLastLive(slot);
  });
}
}  // namespace uc::policy
