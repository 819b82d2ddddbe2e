#include "core/policy/custody.h"

#include <algorithm>
#include <tuple>

namespace uc::policy {

void Custody::Drop(SlotIndex slot, Crew& crew) {
  const auto kept = kept_.find(slot);
  if (kept == kept_.end()) return;
  LetGo(slot, kept->second, crew);
  kept_.erase(kept);
}

void Custody::Restore(SlotIndex slot, WorkerId stand_in) {
  Kept& kept = kept_[slot];
  if (kept.stand_in.has_value() && *kept.stand_in != stand_in)
    actions_.push_back(Release{slot, *kept.stand_in});
  kept = {std::nullopt, stand_in};
}

void Custody::HeldBesides(SlotIndex slot, WorkerId stand_in) {
  const auto kept = kept_.find(slot);
  if (kept == kept_.end() || kept->second.stand_in.value_or(stand_in) != stand_in) {
    actions_.push_back(Release{slot, stand_in});
    return;
  }
  kept->second.stand_in = stand_in;
}

std::vector<SlotIndex> Custody::kept() const {
  std::vector<SlotIndex> slots;
  for (const auto& [slot, kept] : kept_) slots.push_back(slot);
  return slots;
}

std::optional<WorkerId> Custody::StandIn(SlotIndex slot) const {
  const auto kept = kept_.find(slot);
  return kept == kept_.end() ? std::nullopt : kept->second.stand_in;
}

int Custody::Burden(WorkerId worker) const {
  return static_cast<int>(std::count_if(kept_.begin(), kept_.end(), [&](const auto& entry) {
    return entry.second.stand_in == worker;
  }));
}

std::optional<WorkerId> Custody::Choose(Crew& crew, SlotIndex slot) const {
  std::optional<WorkerId> chosen;
  std::tuple<bool, int> best;
  for (const Slot& other : crew.slots()) {
    if (other.index == slot || !Healthy(other)) continue;
    const std::tuple<bool, int> cost = {!other.wanted, Burden(other.incumbent->id)};
    if (chosen.has_value() && cost >= best) continue;
    chosen = other.incumbent->id;
    best = cost;
  }
  return chosen;
}

// One that leaves or has gone needs not be told.
void Custody::LetGo(SlotIndex slot, Kept& kept, Crew& crew) {
  if (!kept.stand_in.has_value()) return;
  const Place place = crew.Find(*kept.stand_in);
  if (place.slot != nullptr && Accepts(place.worker().state)) {
    actions_.push_back(Release{slot, *kept.stand_in});
  }
  kept.stand_in.reset();
}

void Custody::Settle(Crew& crew) {
  for (auto& [slot, kept] : kept_) {
    if (kept.binder.has_value()) {
      const Place binder = crew.Find(*kept.binder);
      if (binder.slot != nullptr && binder.worker().state == WorkerState::kStarting) continue;
      kept.binder.reset();
    }
    const Slot* const own = crew.Find(slot);
    if (own != nullptr && Accepts(*own) && !own->incumbent->suspect) {
      LetGo(slot, kept, crew);
      continue;
    }
    const Place place = kept.stand_in.has_value() ? crew.Find(*kept.stand_in) : Place{};
    if (place.slot != nullptr && place.seat == &Slot::incumbent && Healthy(*place.slot)) continue;
    const std::optional<WorkerId> next = Choose(crew, slot);
    if (!next.has_value()) continue;  // nobody is better than the one who has it now
    LetGo(slot, kept, crew);
    kept.stand_in = next;
    actions_.push_back(Adopt{slot, *next});
  }
}

}  // namespace uc::policy
