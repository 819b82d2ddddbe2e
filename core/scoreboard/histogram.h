// Histogram of latencies: 256 buckets, 8 per power of two of microseconds (error at most 12.5 %). PURE.
#ifndef CORE_SCOREBOARD_HISTOGRAM_H_
#define CORE_SCOREBOARD_HISTOGRAM_H_

#include <cstdint>

#include "absl/types/span.h"
#include "core/scoreboard/layout.h"

namespace uc::scoreboard {

// Values past the last bucket count into it. Fast: a few instructions, no loop.
uint32_t BucketOf(uint64_t microseconds);
// The smallest value of the bucket and the smallest of the next one.
uint64_t BucketFloor(uint32_t bucket);
// The value (µs, middle of its bucket) at quantile q in [0, 1]; 0 when nothing was counted.
uint64_t Quantile(absl::Span<const uint64_t> buckets, double q);

}  // namespace uc::scoreboard

#endif  // CORE_SCOREBOARD_HISTOGRAM_H_
