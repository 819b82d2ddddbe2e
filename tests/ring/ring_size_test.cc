#include "core/ring/ring_size.h"

#include "gtest/gtest.h"

namespace uc::ring {
namespace {

constexpr uint64_t kUsualLimit = 8 << 20;

TEST(RingSizeTest, LargestIsWhatARingIsWithoutALimit) {
  const RingOptions usual, largest = WithEntries(kRingEntriesMost);
  EXPECT_EQ(largest.submissions, usual.submissions);
  EXPECT_EQ(largest.completions, usual.completions);
}

TEST(RingSizeTest, FewRingsAreOfTheLargestSize) {
  EXPECT_EQ(EntriesThatFit(kUsualLimit, 1), kRingEntriesMost);
  EXPECT_EQ(EntriesThatFit(kUsualLimit, 58), kRingEntriesMost);
  EXPECT_LT(EntriesThatFit(kUsualLimit, 59), kRingEntriesMost);
}

TEST(RingSizeTest, UsualLimitIsEnoughFor256AndSomeToSpare) {
  const uint32_t entries = EntriesThatFit(kUsualLimit, 256 + 32);
  EXPECT_EQ(entries, 128u);
  EXPECT_LE(LockedBytes(entries) * (256 + 32), kUsualLimit);
}

TEST(RingSizeTest, WhatDoesNotFitAtAllIsOfTheLeastSize) {
  EXPECT_EQ(EntriesThatFit(0, 1), kRingEntriesLeast);
  EXPECT_EQ(EntriesThatFit(kUsualLimit, 100'000), kRingEntriesLeast);
}

TEST(RingSizeTest, SmallerRingsLockLess) {
  uint64_t before = UINT64_MAX;
  for (const uint32_t entries : kRingEntries) {
    EXPECT_LT(LockedBytes(entries), before) << entries;
    before = LockedBytes(entries);
  }
  EXPECT_EQ(LockedBytes(0), 0u);
}

}  // namespace
}  // namespace uc::ring
