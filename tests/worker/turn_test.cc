#include "core/worker/turn.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace uc::worker {
namespace {

class TurnTest : public testing::Test {
 protected:
  TurnTest() { turn_.Begin(); }
  // Turn knows connections by their addresses only.
  static Connection* Number(uintptr_t number) { return reinterpret_cast<Connection*>(number); }
  void Line(uintptr_t first, uintptr_t last) {
    for (uintptr_t number = first; number <= last; ++number) turn_.Line(Number(number));
  }
  // Those that come up in the present turn, each of which uses so much.
  std::vector<uintptr_t> Served(size_t each) {
    std::vector<uintptr_t> served;
    while (Connection* connection = turn_.Next()) {
      served.push_back(reinterpret_cast<uintptr_t>(connection));
      turn_.Use(each);
    }
    return served;
  }
  Turn turn_;
};

TEST_F(TurnTest, AFewConnectionsGetLargeShares) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(turn_.Share(), Turn::kShareMax);
    turn_.Use(Turn::kShareMax);
  }
}

TEST_F(TurnTest, ManyConnectionsGetSmallSharesAndTheTurnEnds) {
  size_t used = 0;
  for (int i = 0; i < 10'000; ++i) {
    const size_t share = turn_.Share();
    EXPECT_TRUE(share == 0 || share >= Turn::kShareMin);
    used += share;
    turn_.Use(share);
  }
  EXPECT_EQ(turn_.Share(), 0u);
  EXPECT_LT(used, Turn::kBytes + Turn::kShareMin);
  turn_.Begin();
  EXPECT_EQ(turn_.Share(), Turn::kShareMax) << "with the next turn all begins anew";
}

TEST_F(TurnTest, LightConnectionsHaveASmallShareOfATurnThatIsUsedUp) {
  EXPECT_EQ(turn_.LightShare(), Turn::kShareMax) << "as others have, while there is something";
  turn_.Use(Turn::kBytes);
  EXPECT_EQ(turn_.Share(), 0u);
  for (size_t i = 0; i < Turn::kLightMax; ++i) EXPECT_EQ(turn_.LightShare(), Turn::kShareMin);
  EXPECT_EQ(turn_.LightShare(), 0u);
  EXPECT_EQ(turn_.Share(), 0u);
  turn_.Begin();
  turn_.Use(Turn::kBytes);
  EXPECT_EQ(turn_.LightShare(), Turn::kShareMin);
  turn_.End();
  EXPECT_EQ(turn_.LightShare(), 0u) << "an answer took long";
}

TEST_F(TurnTest, WhoWasLightAndFoundNoShareGoesFirst) {
  Line(1, 3);
  turn_.LineFirst(Number(7));
  EXPECT_EQ(turn_.Next(), nullptr) << "not in the turn that is used up";
  turn_.Begin();
  EXPECT_EQ(Served(1), (std::vector<uintptr_t>{7, 1, 2, 3}));
  EXPECT_TRUE(turn_.line_empty());
}

TEST_F(TurnTest, TheFirstDoNotMakeTheTurnLongNorTheOthersWaitForEver) {
  Line(1, 4);
  for (uintptr_t number = 11; number <= 15; ++number) turn_.LineFirst(Number(number));
  turn_.Begin();
  EXPECT_EQ(Served(Turn::kBytes), (std::vector<uintptr_t>{11, 12, 1, 2}));
  turn_.LineFirst(Number(16));
  turn_.Begin();
  EXPECT_EQ(Served(Turn::kBytes), (std::vector<uintptr_t>{13, 14, 3, 4}));
  turn_.Begin();
  EXPECT_EQ(Served(Turn::kBytes), (std::vector<uintptr_t>{15}));
  turn_.Begin();
  EXPECT_EQ(Served(Turn::kBytes), (std::vector<uintptr_t>{16}));
}

TEST_F(TurnTest, ThePipelinedRequestsOfManyConnectionsFit) {
  for (int i = 0; i < 64 * 16; ++i) turn_.Use(Turn::kRequestBytes + 200);
  EXPECT_EQ(turn_.Share(), Turn::kShareMax);
}

TEST_F(TurnTest, TheLineGoesOnInTheNextTurnAndInItsOrder) {
  Line(1, 3);
  EXPECT_EQ(turn_.Next(), nullptr) << "not in the turn whose share they have used";
  EXPECT_FALSE(turn_.line_empty());
  turn_.Begin();
  EXPECT_EQ(Served(100), (std::vector<uintptr_t>{1, 2, 3}));
  EXPECT_TRUE(turn_.line_empty());
}

TEST_F(TurnTest, WhoUsesItsShareGoesToTheEndOfTheLine) {
  Line(1, 2);
  turn_.Begin();
  EXPECT_EQ(turn_.Next(), Number(1));
  Line(1, 1);
  Line(3, 3);
  EXPECT_EQ(turn_.Next(), Number(2));
  EXPECT_EQ(turn_.Next(), nullptr);
  turn_.Begin();
  EXPECT_EQ(Served(100), (std::vector<uintptr_t>{1, 3}));
}

TEST_F(TurnTest, ALongLineTakesSeveralTurns) {
  Line(1, 100);
  uintptr_t next = 1;
  int turns = 0;
  for (; next <= 100; ++turns) {
    turn_.Begin();
    const std::vector<uintptr_t> served = Served(1'000'000);
    ASSERT_GE(served.size(), Turn::kFromLineMin);
    ASSERT_LE(served.size(), Turn::kBytes / 1'000'000 + 1);
    for (const uintptr_t number : served) ASSERT_EQ(number, next++);
  }
  EXPECT_GT(turns, 10);
}

TEST_F(TurnTest, SharesAreSmallWhileTheLineIsLong) {
  Line(1, 1000);
  turn_.Begin();
  EXPECT_EQ(turn_.Share(), Turn::kShareMin);
  EXPECT_NE(turn_.Next(), nullptr);
  EXPECT_EQ(turn_.Share(), Turn::kShareMin);
  while (!turn_.line_empty()) {
    Served(100);
    turn_.Begin();
  }
  EXPECT_EQ(turn_.Share(), Turn::kShareMax);
}

TEST_F(TurnTest, CompletionsLeaveTheLineItsHalf) {
  Line(1, 20);
  turn_.Begin();
  turn_.Use(Turn::kBytes);
  EXPECT_EQ(turn_.Share(), 0u) << "for completions nothing is left";
  EXPECT_GE(Served(Turn::kBytes / 8).size(), 4u);
}

TEST_F(TurnTest, TheLineLeavesTheTurnToNewcomersButGoesOn) {
  Line(1, 20);
  turn_.Begin();
  turn_.NewcomersWait();
  EXPECT_EQ(Served(100), (std::vector<uintptr_t>{1, 2}));
  turn_.Begin();
  EXPECT_EQ(Served(100).size(), 18u);
}

TEST_F(TurnTest, InALongTurnSomeOfTheLineStillGoOn) {
  Line(1, 20);
  turn_.Begin();
  EXPECT_EQ(turn_.Next(), Number(1));
  turn_.End();
  EXPECT_GE(turn_.Share(), Turn::kShareMin) << "who has come up has a share";
  EXPECT_EQ(turn_.Next(), Number(2));
  EXPECT_EQ(turn_.Next(), nullptr);
}

}  // namespace
}  // namespace uc::worker
