// Which connection a request goes on, and which ones are closed.
#include "core/front/pool.h"

#include <vector>

#include "gtest/gtest.h"

namespace uc::front {
namespace {

constexpr int64_t kMs = 1'000'000;

class PoolTest : public testing::Test {
 protected:
  // Keeps `count` connections, one every millisecond from 0 on.
  void KeepMany(int count) {
    nodes_ = std::vector<PoolNode>(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) pool_.Keep(nodes_[static_cast<size_t>(i)], i * kMs);
  }
  Pool pool_;
  std::vector<PoolNode> nodes_;
};

TEST_F(PoolTest, TheLastOneUsedIsUsedNext) {
  KeepMany(3);
  EXPECT_EQ(pool_.Take(Wants::kAny, 10 * kMs), &nodes_[2]);
  EXPECT_EQ(pool_.Take(Wants::kAny, 10 * kMs), &nodes_[1]);
  EXPECT_EQ(pool_.kept(), 1u);
  pool_.Keep(nodes_[2], 10 * kMs);
  EXPECT_EQ(pool_.Take(Wants::kAny, 11 * kMs), &nodes_[2]);
  EXPECT_EQ(pool_.Take(Wants::kAny, 11 * kMs), &nodes_[0]);
  EXPECT_EQ(pool_.Take(Wants::kAny, 11 * kMs), nullptr);
}

TEST_F(PoolTest, WhatCannotBeSentTwiceGoesOnAFreshConnectionOnly) {
  KeepMany(1);
  EXPECT_EQ(pool_.Take(Wants::kFresh, Pool::kFreshNs + 1), nullptr);
  EXPECT_EQ(pool_.Take(Wants::kFresh, Pool::kFreshNs), &nodes_[0]);
}

TEST_F(PoolTest, WhatIsSentAgainGoesOnANewConnection) {
  KeepMany(1);
  EXPECT_EQ(pool_.Take(Wants::kNew, 0), nullptr);
  EXPECT_EQ(pool_.kept(), 1u);
}

TEST_F(PoolTest, RequestsAreInFlightUntilTheirConnectionIsKeptOrGone) {
  KeepMany(2);
  pool_.Ask(nodes_[0], 0);
  pool_.Ask(nodes_[1], 0);
  EXPECT_EQ(pool_.in_flight(), 2u);
  pool_.Answering(nodes_[0], 0);
  EXPECT_EQ(pool_.in_flight(), 2u);
  pool_.Keep(nodes_[0], 0);
  pool_.Remove(nodes_[1]);
  EXPECT_EQ(pool_.in_flight(), 0u);
  EXPECT_EQ(pool_.kept(), 1u);
}

TEST_F(PoolTest, TheOldestIsClosedBeforeTheServerDoesIt) {
  KeepMany(2);
  EXPECT_EQ(pool_.Surplus(Pool::kKeptNs), nullptr);
  EXPECT_EQ(pool_.Surplus(Pool::kKeptNs + kMs), &nodes_[0]);
  pool_.Remove(nodes_[0]);
  EXPECT_EQ(pool_.Surplus(Pool::kKeptNs + kMs), nullptr);
}

TEST_F(PoolTest, KeptOnesMakeWayWhenAnAnswerIsSlow) {
  KeepMany(1);
  PoolNode asked;
  pool_.Ask(asked, 0);
  EXPECT_EQ(pool_.Surplus(Pool::kSlowNs), nullptr);
  EXPECT_EQ(pool_.Surplus(Pool::kSlowNs + 1), &nodes_[0]);
  pool_.Answering(asked, Pool::kSlowNs);
  EXPECT_EQ(pool_.Surplus(Pool::kSlowNs + 1), nullptr);  // it works
}

TEST_F(PoolTest, TheyAreBoundedInNumber) {
  KeepMany(static_cast<int>(Pool::kKeptMax) + 1);
  EXPECT_EQ(pool_.Surplus(kMs), &nodes_[0]);
  pool_.Remove(nodes_[0]);
  EXPECT_EQ(pool_.Surplus(kMs), nullptr);
}

TEST_F(PoolTest, OneMayLeaveFromTheMiddle) {
  KeepMany(3);
  pool_.Remove(nodes_[1]);
  pool_.Remove(nodes_[1]);
  EXPECT_EQ(pool_.Take(Wants::kAny, 0), &nodes_[2]);
  EXPECT_EQ(pool_.Take(Wants::kAny, 0), &nodes_[0]);
}

TEST_F(PoolTest, OneThatListensStaysUntilARequestWaits) {
  PoolNode listening, asked;
  pool_.Listen(listening, 0);
  EXPECT_EQ(pool_.Listening(), &listening);
  EXPECT_EQ(pool_.Surplus(Pool::kKeptNs * 100), nullptr);
  EXPECT_EQ(pool_.in_flight(), 0u);
  EXPECT_EQ(pool_.Take(Wants::kAny, kMs), nullptr);
  pool_.Ask(asked, 1000 * kMs);
  EXPECT_EQ(pool_.Surplus(1000 * kMs + Pool::kSlowNs), nullptr);
  EXPECT_EQ(pool_.Surplus(1000 * kMs + Pool::kSlowNs + 1), &listening);
  pool_.Remove(listening);
  EXPECT_EQ(pool_.Surplus(2000 * kMs), nullptr);
  EXPECT_EQ(pool_.listening(), 0u);
}

}  // namespace
}  // namespace uc::front
