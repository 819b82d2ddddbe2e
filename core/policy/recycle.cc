// Recycling: a worker that has had its day is replaced as in a roll, its successor first. One at a time in
// the whole cluster: a guarantee, where chance (a jitter) would only make it likely.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

// Of one slot: an app that needs more than its limit from the start is not to spend its life in recycling.
constexpr absl::Duration kRecyclePause = absl::Seconds(10);
constexpr absl::Duration kRecyclePauseAfterFailure = absl::Minutes(1);

}  // namespace

void Supervisor::State::On(const RecycleDue& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr) {
    ++events_ignored;
    return;
  }
  if (place.seat != &Slot::incumbent || !place.slot->wanted || !Serves(*place.slot)) return;
  if (now < place.slot->recycle_at) return;  // it will be said again
  const bool known = std::any_of(due.begin(), due.end(),
                                 [&](const Due& one) { return one.worker == event.worker; });
  if (!known) due.push_back({event.worker, OneLine(event.reason)});
}

bool Supervisor::State::BeginRecycling() {
  std::erase_if(due, [this](const Due& one) {
    const Place place = crew.Find(one.worker);
    return place.slot == nullptr || place.seat != &Slot::incumbent || !place.slot->wanted ||
           !Serves(*place.slot) || now < place.slot->recycle_at;  // it will be said again
  });
  if (due.empty() || upgrade.has_value()) return false;
  // Nobody is twofold: who was replaced before has left.
  const absl::Span<const Slot> slots = std::as_const(crew).slots();
  if (std::any_of(slots.begin(), slots.end(),
                  [](const Slot& slot) { return WorkerCount(slot) > 1; })) {
    return false;
  }
  roll = Roll{};
  roll->recycling = std::move(due.front());
  due.pop_front();
  roll->first_generation = crew.next_generation();
  const SlotIndex index = roll->recycling->worker.slot;
  roll->ahead.push_back(index);
  crew.Find(index)->recycle_at = now + kRecyclePause;
  Say(Report::Level::kInfo,
      absl::StrCat(Name(roll->recycling->worker), ": is recycled: ", roll->recycling->reason));
  return true;
}

void Supervisor::State::FinishRecycling() {
  const Due done = *std::move(roll->recycling);
  roll.reset();
  const Slot* const slot = crew.Find(done.worker.slot);
  if (slot == nullptr || !Serves(*slot) || slot->incumbent->id == done.worker) return;
  Say(Report::Level::kInfo, absl::StrCat(Name(done.worker), ": was recycled, generation ",
                                         slot->incumbent->id.generation, " serves"));
}

void Supervisor::State::AbortRecycling(const std::string& reason) {
  const WorkerId worker = roll->recycling->worker;
  Slot* const slot = crew.Find(worker.slot);
  if (slot != nullptr) slot->recycle_at = now + kRecyclePauseAfterFailure;
  const bool serves_on = slot != nullptr && Serves(*slot) && slot->incumbent->id == worker;
  Say(Report::Level::kWarning,
      serves_on ? absl::StrCat(Name(worker), ": cannot be recycled and serves on; next try in ",
                               Shown(kRecyclePauseAfterFailure), ": ", reason)
                : absl::StrCat(Name(worker), ": has left or leaves, and the worker in its place ",
                               "has failed: ", reason));
  EndRoll();
}

void Supervisor::State::AbandonRecycling() {
  if (!roll.has_value() || !roll->recycling.has_value()) return;
  const Slot* const slot = crew.Find(roll->recycling->worker.slot);
  // Once the new one has taken over, the old one only has to leave.
  if (slot != nullptr && Serves(*slot) && roll->IsNew(*slot->incumbent)) return;
  EndRoll();
}

}  // namespace uc::policy
