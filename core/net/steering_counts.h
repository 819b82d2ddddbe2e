// The two halves of SlotState::counts, changed in one step each, whoever else changes them.
#ifndef CORE_NET_STEERING_COUNTS_H_
#define CORE_NET_STEERING_COUNTS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/net/steering_state.h"

namespace uc::net {

struct Counts {
  uint32_t load = 0;
  uint32_t pend = 0;
};

inline Counts ReadCounts(SlotState& slot) {
  const uint64_t counts = std::atomic_ref(slot.counts).load(std::memory_order_relaxed);
  return {static_cast<uint32_t>(counts), static_cast<uint32_t>(counts >> 32)};
}

// Never below 0: a worker that was killed between two steps, or a count that was forgotten, leaves them uneven.
inline void ChangeCounts(SlotState& slot, int64_t load, int64_t pend) {
  std::atomic_ref counts(slot.counts);
  uint64_t before = counts.load(std::memory_order_relaxed);
  uint64_t after = 0;
  do {
    const int64_t load_after = std::max<int64_t>(0, static_cast<uint32_t>(before) + load);
    const int64_t pend_after = std::max<int64_t>(0, static_cast<uint32_t>(before >> 32) + pend);
    after = static_cast<uint64_t>(pend_after) << 32 | static_cast<uint32_t>(load_after);
  } while (!counts.compare_exchange_weak(before, after, std::memory_order_relaxed));
}

}  // namespace uc::net

#endif  // CORE_NET_STEERING_COUNTS_H_
