#include "core/worker/body_memory.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace uc::worker {
namespace {

using State = BodyClaim::State;

class BodyMemoryTest : public testing::Test {
 protected:
  // BodyMemory knows connections by their addresses only.
  static Connection* Number(uintptr_t number) { return reinterpret_cast<Connection*>(number); }
  std::vector<Connection*> Granted() { return std::exchange(bodies_.granted(), {}); }
  BodyMemory bodies_{100};
  BodyClaim one_, two_, three_;
};

TEST_F(BodyMemoryTest, WhatFitsIsHeldAtOnce) {
  bodies_.Claim(one_, Number(1), 60);
  bodies_.Claim(two_, Number(2), 40);
  EXPECT_EQ(one_.state, State::kHeld);
  EXPECT_EQ(two_.state, State::kHeld);
  EXPECT_EQ(bodies_.held(), 100u);
}

TEST_F(BodyMemoryTest, WhatDoesNotFitWaitsAndIsGrantedInItsOrder) {
  bodies_.Claim(one_, Number(1), 90);
  bodies_.Claim(two_, Number(2), 20);
  bodies_.Claim(three_, Number(3), 5);
  EXPECT_TRUE(two_.waiting());
  EXPECT_TRUE(three_.waiting()) << "small ones do not pass by";
  bodies_.Release(one_);
  EXPECT_EQ(Granted(), (std::vector<Connection*>{Number(2), Number(3)}));
  EXPECT_EQ(bodies_.held(), 25u);
  EXPECT_FALSE(bodies_.waited_for());
}

TEST_F(BodyMemoryTest, WhoLeavesWhileItWaitsMakesWay) {
  bodies_.Claim(one_, Number(1), 90);
  bodies_.Claim(two_, Number(2), 100);
  bodies_.Claim(three_, Number(3), 10);
  bodies_.Release(two_);
  EXPECT_EQ(Granted(), std::vector<Connection*>{Number(3)});
  EXPECT_EQ(bodies_.held(), 100u);
}

TEST_F(BodyMemoryTest, ASmallerBodyThanWasClaimedMakesRoom) {
  bodies_.Claim(one_, Number(1), 100);
  bodies_.Claim(two_, Number(2), 50);
  bodies_.Shrink(one_, 50);
  EXPECT_EQ(Granted(), std::vector<Connection*>{Number(2)});
  bodies_.Shrink(one_, 70);
  EXPECT_EQ(bodies_.held(), 100u) << "nothing grows";
}

TEST_F(BodyMemoryTest, ABodyLargerThanTheBoundComesAlone) {
  bodies_.Claim(one_, Number(1), 1);
  bodies_.Claim(two_, Number(2), SIZE_MAX);
  EXPECT_TRUE(two_.waiting());
  bodies_.Release(one_);
  EXPECT_EQ(two_.state, State::kHeld);
  bodies_.Claim(three_, Number(3), 1);
  EXPECT_TRUE(three_.waiting());
  bodies_.Release(two_);
  EXPECT_EQ(three_.state, State::kHeld);
}

TEST_F(BodyMemoryTest, OnlySoManyWait) {
  bodies_.Claim(one_, Number(1), 100);
  std::vector<BodyClaim> more(100);
  size_t waiting = 0;
  for (BodyClaim& claim : more) {
    bodies_.Claim(claim, Number(2), 1);
    waiting += claim.waiting();
  }
  EXPECT_EQ(waiting, 16u);
  bodies_.Release(one_);
  EXPECT_EQ(Granted().size(), 16u);
  EXPECT_EQ(bodies_.held(), 16u);
}

TEST_F(BodyMemoryTest, ReleasingTwiceIsReleasingOnce) {
  bodies_.Claim(one_, Number(1), 60);
  bodies_.Claim(two_, Number(2), 40);
  bodies_.Release(one_);
  bodies_.Release(one_);
  EXPECT_EQ(bodies_.held(), 40u);
}

}  // namespace
}  // namespace uc::worker
