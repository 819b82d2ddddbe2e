#include "core/scoreboard/histogram.h"

#include <algorithm>
#include <bit>

namespace uc::scoreboard {

// Values 0..7 have a bucket each; from then on an octave [2^k, 2^(k+1)) has 8 equal ones.
uint32_t BucketOf(uint64_t microseconds) {
  if (microseconds < 8) return static_cast<uint32_t>(microseconds);
  const uint32_t octave = static_cast<uint32_t>(std::bit_width(microseconds)) - 4;
  const uint32_t bucket = 8 * (octave + 1) + static_cast<uint32_t>(microseconds >> octave) - 8;
  return std::min(bucket, kLatencyBuckets - 1);
}

uint64_t BucketFloor(uint32_t bucket) {
  if (bucket < 16) return bucket;
  const uint32_t octave = bucket / 8 - 1;
  return uint64_t{bucket % 8 + 8} << octave;
}

uint64_t Quantile(absl::Span<const uint64_t> buckets, double q) {
  uint64_t total = 0;
  for (const uint64_t count : buckets) total += count;
  if (total == 0) return 0;
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(total);
  uint64_t seen = 0;
  for (uint32_t bucket = 0; bucket < buckets.size(); ++bucket) {
    seen += buckets[bucket];
    if (static_cast<double>(seen) >= rank && seen > 0) {
      return (BucketFloor(bucket) + BucketFloor(bucket + 1) - (bucket < 15)) / 2;
    }
  }
  return BucketFloor(static_cast<uint32_t>(buckets.size()));
}

}  // namespace uc::scoreboard
