// RingAllotment: how large a ring each worker gets, so that all workers of the cluster fit into what this user may lock.
//
// Measured once for each number of workers that is wanted; others of the same user may take more later, and a worker that
// does not get its ring waits for it, then takes a smaller one (core/ring/awaited_ring.h). Where rings are not counted
// all get the largest.
//
// As many of the smallest rings as a roll has successors at one time are kept for them: what may start can be rolled.
// Refused: letting each worker try by itself, for then the first ones would take what the last ones need.
#ifndef CORE_COORDINATOR_RING_ALLOTMENT_H_
#define CORE_COORDINATOR_RING_ALLOTMENT_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/coordinator/publish.h"
#include "core/policy/event.h"
#include "core/policy/slot.h"
#include "core/policy/supervisor.h"
#include "core/ring/locked_memory.h"

namespace uc::coordinator {

// Of `rings` that can be had at one time, those that are left for slots when a roll of this width has its successors:
// as many as it is wide, and no more than there are slots. PURE.
uint64_t SlotsThatFit(uint64_t rings, uint64_t roll_width);

// FailedPrecondition: not even the smallest rings of so many workers, and of the successors of a roll, can be had.
// Blocks for half a second at most, where others of this user may just be giving memory back.
absl::Status CheckLockedMemory(const policy::SupervisorOptions& options);

class RingAllotment {
 public:
  enum class Workers {
    kNative,   // each has a ring
    kProgram,  // none has
  };
  RingAllotment(Workers workers, uint32_t roll_width)
      : workers_(workers), roll_width_(roll_width) {}

  // For the next worker.
  uint32_t EntriesFor(uint32_t wanted, absl::Span<const policy::Slot> slots,
                      const Processes& processes);
  // How many workers can have a ring; nullopt: any number.
  std::optional<policy::WorkersBound> Bound(absl::Span<const policy::Slot> slots,
                                            const Processes& processes);

 private:
  void Begin();
  // Locked memory that is free and that no worker on its way is going to take.
  uint64_t Free(absl::Span<const policy::Slot> slots, const Processes& processes) const;

  const Workers workers_;
  const uint32_t roll_width_;
  bool begun_ = false;
  std::optional<ring::LockedMemory> memory_;
  uint32_t decided_for_ = 0;  // workers
  uint32_t entries_ = 0;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_RING_ALLOTMENT_H_
