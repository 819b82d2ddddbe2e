#include "core/policy/rebalance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The worker of slot k is generation k+1 and has the k-th load.
std::vector<Load> Loads(const std::vector<uint32_t>& connections) {
  std::vector<Load> loads;
  for (uint32_t slot = 0; slot < connections.size(); ++slot) {
    loads.push_back({{slot, slot + 1}, connections[slot]});
  }
  return loads;
}
Gift From(SlotIndex giver, uint32_t connections, SlotIndex taker) {
  return {{giver, giver + 1}, {taker, taker + 1}, connections};
}
std::vector<uint32_t> After(std::vector<uint32_t> loads, const std::vector<Gift>& gifts) {
  for (const Gift& gift : gifts) {
    EXPECT_GE(loads[gift.from.slot], gift.connections) << "it gives what it does not have";
    loads[gift.from.slot] -= gift.connections;
    loads[gift.to.slot] += gift.connections;
  }
  return loads;
}
uint64_t Moved(const std::vector<Gift>& gifts) {
  uint64_t moved = 0;
  for (const Gift& gift : gifts) moved += gift.connections;
  return moved;
}

TEST(RebalanceTest, NewcomerGetsItsShareOfEverybody) {
  EXPECT_THAT(PlanRebalance(Loads({12, 12, 12, 0})),
              ElementsAre(From(0, 3, 3), From(1, 3, 3), From(2, 3, 3)));
}

TEST(RebalanceTest, HeaviestGivesToTheLightest) {
  EXPECT_THAT(PlanRebalance(Loads({40, 20, 0})), ElementsAre(From(0, 20, 2)));
  EXPECT_THAT(PlanRebalance(Loads({0, 90, 0})), ElementsAre(From(1, 30, 2), From(1, 30, 0)));
}

TEST(RebalanceTest, RestStaysWithThoseThatHaveMost) {
  EXPECT_THAT(PlanRebalance(Loads({8, 3, 0})), ElementsAre(From(0, 3, 2), From(0, 1, 1)));
}

TEST(RebalanceTest, NobodyToShareWithIsNoPlan) {
  EXPECT_THAT(PlanRebalance({}), IsEmpty());
  EXPECT_THAT(PlanRebalance(Loads({1000})), IsEmpty());
  EXPECT_THAT(PlanRebalance(Loads({0, 0, 0})), IsEmpty());
}

TEST(RebalanceTest, OneConnectionCannotBeShared) {
  EXPECT_THAT(PlanRebalance(Loads({1, 0})), IsEmpty());
  EXPECT_THAT(PlanRebalance(Loads({3, 2, 2, 2})), IsEmpty());
  EXPECT_THAT(PlanRebalance(Loads({2, 0})), ElementsAre(From(0, 1, 1)));
}

TEST(RebalanceTest, TenthOfTheMeanIsNotWorthIt) {
  EXPECT_THAT(PlanRebalance(Loads({105, 95})), IsEmpty());
  EXPECT_THAT(PlanRebalance(Loads({106, 94})), ElementsAre(From(0, 6, 1)));
}

TEST(RebalanceTest, OrderOfTheLoadsDoesNotMatter) {
  std::vector<Load> loads = Loads({7, 7, 0, 20, 1});
  const std::vector<Gift> plan = PlanRebalance(loads);
  for (int turn = 0; turn < 5; ++turn) {
    std::rotate(loads.begin(), loads.begin() + 1, loads.end());
    EXPECT_EQ(PlanRebalance(loads), plan);
  }
}

TEST(RebalanceTest, LargestCountsDoNotOverflow) {
  const uint32_t most = UINT32_MAX;
  const std::vector<uint32_t> loads = {most, most, most, 0};
  const std::vector<uint32_t> after = After(loads, PlanRebalance(Loads(loads)));
  EXPECT_LE(
      *std::max_element(after.begin(), after.end()) - *std::min_element(after.begin(), after.end()),
      1u);
}

// The definition: all end within one of each other, nothing more is moved than these ends need, and nobody
// gives and takes.
void ExpectFair(const std::vector<uint32_t>& loads, const std::vector<Gift>& gifts) {
  std::vector<uint32_t> before = loads;
  std::vector<uint32_t> after = After(loads, gifts);
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  EXPECT_LE(after.back() - after.front(), 1u);
  uint64_t needed = 0;
  for (size_t i = 0; i < loads.size(); ++i) needed += std::max(before[i], after[i]) - after[i];
  EXPECT_EQ(Moved(gifts), needed);
  EXPECT_LT(gifts.size(), loads.size());
  std::set<SlotIndex> givers, takers;
  for (const Gift& gift : gifts) {
    EXPECT_GE(gift.connections, 1u);
    givers.insert(gift.from.slot);
    takers.insert(gift.to.slot);
  }
  for (const SlotIndex giver : givers) EXPECT_EQ(takers.count(giver), 0u);
}

// Counts like an odometer, 0 to 9 at each place; false: all have been seen.
bool NextSpread(std::vector<uint32_t>* loads) {
  for (uint32_t& load : *loads) {
    if (++load <= 9) return true;
    load = 0;
  }
  return false;
}

TEST(RebalanceTest, EverySpreadOfFewConnectionsEndsFairly) {
  for (size_t workers = 2; workers <= 5; ++workers) {
    std::vector<uint32_t> loads(workers, 0);
    do {
      const std::vector<Gift> gifts = PlanRebalance(Loads(loads));
      const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
      if (*most - *least <= 1) {
        ASSERT_THAT(gifts, IsEmpty());
      } else {
        ASSERT_NO_FATAL_FAILURE(ExpectFair(loads, gifts));
      }
      ASSERT_FALSE(HasFailure());
    } while (NextSpread(&loads));
  }
}

}  // namespace
}  // namespace uc::policy
