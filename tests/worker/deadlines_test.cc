#include "core/worker/deadlines.h"

#include <array>

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
