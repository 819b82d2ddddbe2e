// Rebalance: who gives how many connections to whom, so that all hold the same. PURE.
//
// Long-lived connections do not move by themselves: a worker that joins late has none, and steering only
// reaches the new ones. All end within one connection of each other, no worker gives and takes, and nothing
// more is moved than that needs: the workers that may keep one more are those that have most now.
//
// Refused: moving for a difference that nobody feels. One connection cannot be shared; and up to a tenth of
// the mean is what chance makes of a fair spread anyway (the kernel's hash of 1,000 connections over 4
// workers: max/mean 1.06), new connections level it for nothing, while each move costs a message and a
// request that may have to wait for it.
#ifndef CORE_POLICY_REBALANCE_H_
#define CORE_POLICY_REBALANCE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/policy/event.h"

namespace uc::policy {

// A difference up to the mean divided by this is left alone.
inline constexpr uint64_t kWorthwhileShare = 10;

struct Load {
  WorkerId worker;
  uint32_t connections = 0;
};
struct Gift {
  WorkerId from;
  WorkerId to;
  uint32_t connections = 0;  // at least 1
  friend bool operator==(const Gift&, const Gift&) = default;
};

// At most one gift fewer than there are workers; the same for the same loads in whatever order. A worker is
// named once in `loads`.
std::vector<Gift> PlanRebalance(absl::Span<const Load> loads);

}  // namespace uc::policy

#endif  // CORE_POLICY_REBALANCE_H_
