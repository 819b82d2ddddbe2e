#include "core/worker/output_share.h"

#include <gtest/gtest.h>

namespace uc::worker {
namespace {

constexpr size_t kMost = 256 * 1024;
constexpr size_t kSum = 64 * 1024 * 1024;

TEST(OutputShareTest, IsAllThatOneMayHaveWhileTheyAreFew) {
  EXPECT_EQ(OutputShare(kMost, kSum, 0), kMost);
  EXPECT_EQ(OutputShare(kMost, kSum, 1), kMost);
  EXPECT_EQ(OutputShare(kMost, kSum, kSum / kMost), kMost);
}

TEST(OutputShareTest, IsAPartOfTheSumWhenTheyAreMany) {
  EXPECT_EQ(OutputShare(kMost, kSum, 1024), 64u * 1024);
  EXPECT_EQ(OutputShare(kMost, kSum, kSum / kOutputShareMin), kOutputShareMin);
}

TEST(OutputShareTest, IsNeverTooLittleToSend) {
  EXPECT_EQ(OutputShare(kMost, kSum, 1'000'000), kOutputShareMin);
  EXPECT_EQ(OutputShare(100, kSum, 1'000'000), 100u);
}

}  // namespace
}  // namespace uc::worker
