// AwaitedRing: the ring of a worker whose memory may still be on its way back to the user.
//
// A process that ends gives its ring's locked memory back some milliseconds after its parent has heard of the end (the
// kernel takes a ring down in a work queue, after a grace period: io_ring_exit_work() in io_uring/io_uring.c), and
// nothing tells when. So who finds no memory asks again, for a time that has an end: first for the size that it was
// allotted, then for whatever there is. Refused: a smaller ring at once, for then rings would shrink with each roll.
#ifndef CORE_RING_AWAITED_RING_H_
#define CORE_RING_AWAITED_RING_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/ring/ring.h"

namespace uc::ring {

struct RingPatience {
  absl::Duration for_the_allotted = absl::Milliseconds(300);
  absl::Duration for_any = absl::Seconds(2);  // in all
};

// Of `allotted` entries (0: the most), or of fewer. Blocks for as long as `patience` says, and only where memory is
// short. Fails as Ring::Create() does.
absl::StatusOr<std::unique_ptr<Ring>> AwaitRing(uint32_t allotted, const RingPatience& patience);

}  // namespace uc::ring

#endif  // CORE_RING_AWAITED_RING_H_
