#include "core/worker/deadlines.h"

#include <array>
#include <vector>

#include "gtest/gtest.h"

namespace uc::worker {
namespace {

// Nanoseconds stand for whatever you like here.
constexpr std::array<int64_t, kDeadlineKinds> kDurations = {0, 75, 10, 30, 60, 20, 2};

class DeadlinesTest : public testing::Test {
 protected:
  DeadlineNode* Expire(int64_t now) { return deadlines_.Expire(now, &was_); }
  Deadlines deadlines_{kDurations};
  DeadlineNode one_, other_;
  DeadlineKind was_ = DeadlineKind::kNone;
};

TEST_F(DeadlinesTest, FiresAtItsTimeAndNotBefore) {
  deadlines_.Set(one_, DeadlineKind::kHeader, 100);
  EXPECT_EQ(Expire(109), nullptr);
  EXPECT_EQ(Expire(110), &one_);
  EXPECT_EQ(was_, DeadlineKind::kHeader);
  EXPECT_EQ(Expire(1000), nullptr) << "once";
}

TEST_F(DeadlinesTest, ActivityPutsItOff) {
  deadlines_.Set(one_, DeadlineKind::kBody, 100);
  deadlines_.Set(one_, DeadlineKind::kBody, 120);
  EXPECT_EQ(Expire(149), nullptr);
  EXPECT_EQ(Expire(150), &one_);
}

TEST_F(DeadlinesTest, AnActiveOneDoesNotHideTheNext) {
  deadlines_.Set(one_, DeadlineKind::kBody, 100);
  deadlines_.Set(other_, DeadlineKind::kBody, 101);
  deadlines_.Set(one_, DeadlineKind::kBody, 130);
  EXPECT_EQ(Expire(131), &other_);
  EXPECT_EQ(Expire(131), nullptr);
  EXPECT_EQ(Expire(160), &one_);
}

TEST_F(DeadlinesTest, AnotherKindHasItsOwnTime) {
  deadlines_.Set(one_, DeadlineKind::kHeader, 100);
  deadlines_.Set(one_, DeadlineKind::kRequest, 105);
  EXPECT_EQ(Expire(164), nullptr);
  EXPECT_EQ(Expire(165), &one_);
  EXPECT_EQ(was_, DeadlineKind::kRequest);
}

TEST_F(DeadlinesTest, NoneEndsIt) {
  deadlines_.Set(one_, DeadlineKind::kLinger, 100);
  deadlines_.Set(one_, DeadlineKind::kNone, 101);
  EXPECT_EQ(Expire(10'000), nullptr);
}

TEST_F(DeadlinesTest, TheLongestInactiveIsFoundWhateverTheOrderOfTheList) {
  DeadlineNode third;
  deadlines_.Set(one_, DeadlineKind::kIdle, 100);
  deadlines_.Set(other_, DeadlineKind::kIdle, 101);
  deadlines_.Set(third, DeadlineKind::kIdle, 102);
  deadlines_.Set(one_, DeadlineKind::kIdle, 110);
  deadlines_.Set(other_, DeadlineKind::kIdle, 108);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 101), nullptr) << "none is inactive so long";
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), &third);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), &third) << "as long as nothing changes";
  deadlines_.Set(third, DeadlineKind::kHeader, 112);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), &other_);
  deadlines_.Set(other_, DeadlineKind::kIdle, 115);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), &one_);
  deadlines_.Pass(one_);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), &one_) << "nobody else, so again";
  deadlines_.Set(one_, DeadlineKind::kNone, 120);
  deadlines_.Set(other_, DeadlineKind::kNone, 120);
  EXPECT_EQ(deadlines_.Longest(DeadlineKind::kIdle, 200), nullptr);
}

TEST_F(DeadlinesTest, OfManyEachInItsTurnIsTheLongestInactive) {
  std::vector<DeadlineNode> nodes(5000);
  for (size_t i = 0; i < nodes.size(); ++i) {
    deadlines_.Set(nodes[i], DeadlineKind::kIdle, 1);
    deadlines_.Set(nodes[i], DeadlineKind::kIdle, static_cast<int64_t>(10 + i * 7919 % 5000));
  }
  for (int64_t since = 10; since < 5010; ++since) {
    DeadlineNode* const node = deadlines_.Longest(DeadlineKind::kIdle, 10'000);
    ASSERT_NE(node, nullptr);
    ASSERT_EQ(node->since_ns, since);
    deadlines_.Set(*node, DeadlineKind::kNone, 10'000);
  }
}

TEST_F(DeadlinesTest, OnlyIdleOnesAreInNoHurry) {
  deadlines_.Set(one_, DeadlineKind::kIdle, 100);
  EXPECT_EQ(deadlines_.urgent(), 0u);
  deadlines_.Set(one_, DeadlineKind::kSend, 100);
  deadlines_.Set(other_, DeadlineKind::kHeader, 100);
  EXPECT_EQ(deadlines_.urgent(), 2u);
  Expire(110);
  deadlines_.Set(one_, DeadlineKind::kNone, 111);
  EXPECT_EQ(deadlines_.urgent(), 0u);
}

}  // namespace
}  // namespace uc::worker
