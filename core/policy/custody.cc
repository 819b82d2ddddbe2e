#include "core/policy/custody.h"

#include <algorithm>
#include <tuple>

namespace uc::policy {

int Custody::Burden(WorkerId worker) const {
  return static_cast<int>(std::count_if(stand_ins_.begin(), stand_ins_.end(),
                                        [&](const auto& entry) { return entry.second == worker; }));
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

void Custody::Settle(Crew& crew) {
  for (auto& [slot, stand_in] : stand_ins_) {
    if (silent_.count(slot) > 0) continue;
    const Place place = stand_in.has_value() ? crew.Find(*stand_in) : Place{};
    const bool fit =
        place.slot != nullptr && place.seat == &Slot::incumbent && Healthy(*place.slot);
    const Slot* const own = crew.Find(slot);
    if (own != nullptr && Healthy(*own)) {
      // One that leaves or has gone needs not be told.
      if (place.slot != nullptr && place.worker().state == WorkerState::kServing) {
        actions_.push_back(Release{slot, *stand_in});
      }
      stand_in.reset();
      continue;
    }
    if (fit) continue;
    const std::optional<WorkerId> next = Choose(crew, slot);
    if (!next.has_value()) continue;  // nobody is better than the one who has it now
    if (place.slot != nullptr && place.worker().state == WorkerState::kServing) {
      actions_.push_back(Release{slot, *stand_in});
    }
    stand_in = next;
    actions_.push_back(Adopt{slot, *next});
  }
}

}  // namespace uc::policy
