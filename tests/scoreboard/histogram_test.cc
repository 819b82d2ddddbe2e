#include "core/scoreboard/histogram.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

constexpr uint32_t kLast = kLatencyBuckets - 1;

class HistogramTest : public testing::Test {
 protected:
  void Count(uint64_t microseconds, uint64_t times = 1) {
    buckets_[BucketOf(microseconds)] += times;
  }
  // Within an eighth of the true value, and one for the rounding.
  void ExpectNear(double q, double truth) {
    const double found = static_cast<double>(Quantile(buckets_, q));
    EXPECT_NEAR(found, truth, truth / 8 + 1) << "at " << q;
  }

  std::vector<uint64_t> buckets_ = std::vector<uint64_t>(kLatencyBuckets);
};

TEST_F(HistogramTest, FirstSixteenValuesHaveTheirOwnBuckets) {
  for (uint32_t value = 0; value < 16; ++value) EXPECT_EQ(BucketOf(value), value);
}

TEST_F(HistogramTest, EveryBucketBeginsAtItsFloor) {
  for (uint32_t bucket = 0; bucket <= kLast; ++bucket) {
    EXPECT_EQ(BucketOf(BucketFloor(bucket)), bucket);
  }
}

TEST_F(HistogramTest, EveryBucketEndsBeforeTheNextFloor) {
  for (uint32_t bucket = 0; bucket < kLast; ++bucket) {
    EXPECT_EQ(BucketOf(BucketFloor(bucket + 1) - 1), bucket);
  }
}

TEST_F(HistogramTest, FloorsOnlyGrow) {
  for (uint32_t bucket = 0; bucket < kLast; ++bucket) {
    EXPECT_LT(BucketFloor(bucket), BucketFloor(bucket + 1));
  }
}

TEST_F(HistogramTest, NoBucketIsWiderThanAnEighthOfItsFloor) {
  for (uint32_t bucket = 8; bucket < kLast; ++bucket) {
    const uint64_t width = BucketFloor(bucket + 1) - BucketFloor(bucket);
    EXPECT_LE(8 * width, BucketFloor(bucket)) << bucket;
  }
}

TEST_F(HistogramTest, ValuesPastTheEndCountIntoTheLastBucket) {
  EXPECT_EQ(BucketOf(BucketFloor(kLatencyBuckets)), kLast);
  EXPECT_EQ(BucketOf(std::numeric_limits<uint64_t>::max()), kLast);
}

TEST_F(HistogramTest, RangeReachesFourHours) {
  EXPECT_LT(BucketOf(uint64_t{4} * 3600 * 1'000'000), kLast);
}

TEST_F(HistogramTest, NothingCountedIsZero) {
  for (const double q : {0.0, 0.5, 1.0}) EXPECT_EQ(Quantile(buckets_, q), 0u);
  EXPECT_EQ(Quantile({}, 0.5), 0u);
}

TEST_F(HistogramTest, SmallValuesAreExact) {
  for (uint64_t value = 0; value < 16; ++value) {
    buckets_.assign(kLatencyBuckets, 0);
    Count(value);
    for (const double q : {0.0, 0.5, 1.0}) EXPECT_EQ(Quantile(buckets_, q), value);
  }
}

TEST_F(HistogramTest, OneValueIsEveryQuantile) {
  Count(1'234'567);
  for (const double q : {0.0, 0.001, 0.5, 0.999, 1.0}) ExpectNear(q, 1'234'567);
}

TEST_F(HistogramTest, UniformValuesHaveKnownQuantiles) {
  for (uint64_t value = 1; value <= 100'000; ++value) Count(value);
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) ExpectNear(q, q * 100'000);
}

TEST_F(HistogramTest, RareSlowValuesShowOnlyInTheTail) {
  Count(100, 990);
  Count(50'000, 10);
  ExpectNear(0.5, 100);
  ExpectNear(0.99, 100);
  ExpectNear(0.995, 50'000);
}

TEST_F(HistogramTest, QuantilesOutsideZeroToOneAreTheEnds) {
  Count(3);
  Count(12);
  EXPECT_EQ(Quantile(buckets_, -1), 3u);
  EXPECT_EQ(Quantile(buckets_, 2), 12u);
}

}  // namespace
}  // namespace uc::scoreboard
