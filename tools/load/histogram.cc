#include "tools/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace uc::load {
namespace {

constexpr int kBits = Histogram::kBitsOfBucket;
constexpr uint64_t kLinear = uint64_t{1} << (kBits + 1);  // below it a bucket is one value

}  // namespace

// Values below 2^(kBits+1) are their own bucket. Above, a value keeps its kBits+1 leading bits: `shift` says how many
// were dropped, and each shift has 2^kBits buckets of its own.
size_t Histogram::BucketOf(int64_t nanoseconds) {
  const auto value = static_cast<uint64_t>(std::clamp<int64_t>(nanoseconds, 0, kValueMax));
  if (value < kLinear) return value;
  const int shift = std::bit_width(value) - (kBits + 1);
  return (static_cast<size_t>(shift) << kBits) + (value >> shift);
}

int64_t Histogram::FloorOf(size_t bucket) {
  if (bucket < kLinear) return static_cast<int64_t>(bucket);
  const size_t shift = (bucket >> kBits) - 1;
  return static_cast<int64_t>((bucket - (shift << kBits)) << shift);
}

Histogram::Histogram() : buckets_(BucketOf(kValueMax) + 1) {}

void Histogram::Record(int64_t nanoseconds) {
  const int64_t value = std::max<int64_t>(nanoseconds, 0);
  ++buckets_[BucketOf(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  const auto real = static_cast<double>(value);
  sum_ += real;
  sum_of_squares_ += real * real;
}

void Histogram::Add(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

double Histogram::deviation() const {
  if (count_ == 0) return 0;
  return std::sqrt(std::max(0.0, sum_of_squares_ / static_cast<double>(count_) - mean() * mean()));
}

int64_t Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<uint64_t>(
      std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_) - 1e-9));
  if (rank <= 1) return min();
  if (rank >= count_) return max_;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen < rank) continue;
    const int64_t floor = FloorOf(bucket);
    return std::clamp(floor + (FloorOf(bucket + 1) - floor - 1) / 2, min(), max_);
  }
  return max_;
}

void Histogram::Each(const std::function<void(int64_t, int64_t, uint64_t)>& seen) const {
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    if (buckets_[bucket] > 0) seen(FloorOf(bucket), FloorOf(bucket + 1) - 1, buckets_[bucket]);
  }
}

}  // namespace uc::load
