#include "core/net/slot_load.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/net/steering_counts.h"

namespace uc::net {

void UnmapState::operator()(SteeringState* state) const { munmap(state, sizeof(SteeringState)); }

absl::StatusOr<MappedState> MapSteeringState(const Fd& state_map) {
  void* const page =
      mmap(nullptr, sizeof(SteeringState), PROT_READ | PROT_WRITE, MAP_SHARED, state_map.get(), 0);
  if (page == MAP_FAILED) return absl::ErrnoToStatus(errno, "the steering map cannot be mapped");
  return MappedState(static_cast<SteeringState*>(page));
}

absl::StatusOr<SlotLoad> SlotLoad::Map(const Fd& state_map, uint32_t slot) {
  if (slot >= kSteeredSlotsMax) {
    return absl::FailedPreconditionError(absl::StrCat("steering knows no slot ", slot));
  }
  absl::StatusOr<MappedState> state = MapSteeringState(state_map);
  if (!state.ok()) return state.status();
  return SlotLoad(*std::move(state), slot);
}

void SlotLoad::Accepted(uint32_t from) {
  if (from == slot_) {
    ChangeCounts(state_->slot[slot_], 1, -1);
    return;
  }
  ChangeCounts(state_->slot[slot_], 1, 0);
  if (from < kSteeredSlotsMax) ChangeCounts(state_->slot[from], 0, -1);
}

void SlotLoad::Counted(uint64_t accepted, uint64_t gone) {
  const auto more = static_cast<int64_t>(accepted);
  ChangeCounts(state_->slot[slot_], more - static_cast<int64_t>(gone), -more);
}

void SlotLoad::Gained() { ChangeCounts(state_->slot[slot_], 1, 0); }

void SlotLoad::Lost() { ChangeCounts(state_->slot[slot_], -1, 0); }

void SlotLoad::SeenEmpty() {
  always_pending_ = std::min(always_pending_, ReadCounts(state_->slot[slot_]).pend);
}

void SlotLoad::ForgetPending() {
  const uint32_t never_came = std::exchange(always_pending_, UINT32_MAX);
  if (never_came == UINT32_MAX || never_came == 0) return;
  ChangeCounts(state_->slot[slot_], 0, -int64_t{never_came});
}

}  // namespace uc::net
