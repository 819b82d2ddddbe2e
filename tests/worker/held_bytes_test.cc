#include "core/worker/held_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace uc::worker {
namespace {

TEST(HeldBytesTest, WhatIsTakenMovesNothing) {
  HeldBytes held;
  held.Append(std::string(64 * 1024, 'a'));
  const char* const end = held.view().data() + held.size();
  while (!held.empty()) {
    held.KeepLast(held.size() - std::min<size_t>(held.size(), 38));
    EXPECT_EQ(held.view().data() + held.size(), end);
  }
}

TEST(HeldBytesTest, KnowsItsEndFromEqualBytesElsewhere) {
  HeldBytes held;
  held.Append("abcabc");
  EXPECT_TRUE(held.EndsWith(held.view()));
  EXPECT_TRUE(held.EndsWith(held.view().substr(4)));
  EXPECT_FALSE(held.EndsWith(held.view().substr(1, 3)));
  EXPECT_FALSE(held.EndsWith(held.view().substr(6)));
  EXPECT_FALSE(held.EndsWith("abc"));
  const absl::string_view all = held.view();
  held.KeepLast(2);
  EXPECT_FALSE(held.EndsWith(all));
}

TEST(HeldBytesTest, GivesWhatWasAppendedInItsOrder) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    HeldBytes held;
    std::string model;
    for (int step = 0; step < 100; ++step) {
      const std::string bytes(random() % 50, static_cast<char>('a' + random() % 26));
      held.Append(bytes);
      model += bytes;
      const size_t rest = model.empty() ? 0 : random() % (model.size() + 1);
      if (random() % 2 == 0) {
        held.KeepLast(rest);
        model.erase(0, model.size() - rest);
      }
      ASSERT_EQ(held.view(), model);
      ASSERT_EQ(held.size(), model.size());
    }
    held.Clear();
    EXPECT_TRUE(held.empty());
  }
}

}  // namespace
}  // namespace uc::worker
