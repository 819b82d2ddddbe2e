// Histogram: latencies in nanoseconds, log-linear as in HDR histograms. PURE.
//
// 256 buckets for each power of two: a quantile is wrong by at most 0.2 % (half a bucket); below 512 ns and at the
// minimum, maximum and mean it is exact. Recording is a few instructions without a loop or an allocation, and two
// histograms add up to the one of both: each thread has its own. Values past 18 minutes count as 18 minutes, but
// for the maximum. Refused: core/scoreboard's histogram (12.5 %: enough to watch a server, too coarse to compare two).
#ifndef TOOLS_LOAD_HISTOGRAM_H_
#define TOOLS_LOAD_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace uc::load {

class Histogram {
 public:
  static constexpr int kBitsOfBucket = 8;
  static constexpr int64_t kValueMax = (int64_t{1} << 40) - 1;

  Histogram();
  void Record(int64_t nanoseconds);
  void Add(const Histogram& other);

  uint64_t count() const { return count_; }
  int64_t min() const { return count_ == 0 ? 0 : min_; }
  int64_t max() const { return max_; }
  double mean() const;
  double deviation() const;  // the standard deviation
  // The value at quantile q in [0, 1]: the smallest that at least a share q of all values is not above.
  int64_t Quantile(double q) const;
  // Each bucket that is not empty, in order: its first value, its last one, its count.
  void Each(const std::function<void(int64_t, int64_t, uint64_t)>& seen) const;

  static size_t BucketOf(int64_t nanoseconds);
  static int64_t FloorOf(size_t bucket);

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t min_ = INT64_MAX;
  int64_t max_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_HISTOGRAM_H_
