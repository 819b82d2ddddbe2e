#include "core/ring/awaited_ring.h"

#include <poll.h>

#include "core/base/clock.h"
#include "core/ring/ring_size.h"

namespace uc::ring {
namespace {

constexpr int kLookMs = 5;

absl::StatusOr<std::unique_ptr<Ring>> Smaller(uint32_t allotted) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = absl::ResourceExhaustedError("");
  for (const uint32_t entries : kRingEntries) {
    if (entries >= allotted) continue;
    ring = Ring::Create(WithEntries(entries));
    if (!absl::IsResourceExhausted(ring.status())) break;
  }
  return ring;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ring>> AwaitRing(uint32_t allotted, const RingPatience& patience) {
  if (allotted == 0) allotted = kRingEntriesMost;
  const absl::Time begun = MonotonicNow();
  while (true) {
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(WithEntries(allotted));
    if (!absl::IsResourceExhausted(ring.status())) return ring;
    const absl::Duration waited = MonotonicNow() - begun;
    if (waited >= patience.for_the_allotted) {
      absl::StatusOr<std::unique_ptr<Ring>> smaller = Smaller(allotted);
      if (smaller.ok()) return smaller;
    }
    if (waited >= patience.for_any) return ring;
    poll(nullptr, 0, kLookMs);
  }
}

}  // namespace uc::ring
