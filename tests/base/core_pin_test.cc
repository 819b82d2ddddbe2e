// CorePin: a slot's core.
#include "core/base/core_pin.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace uc {
namespace {

TEST(CorePin, SlotsGoRoundTheCoresThatAreAllowed) {
  const std::vector<int> allowed = {2, 3, 7};
  EXPECT_EQ(CoreOfSlot(allowed, 0), 2);
  EXPECT_EQ(CoreOfSlot(allowed, 2), 7);
  EXPECT_EQ(CoreOfSlot(allowed, 3), 2);
  EXPECT_EQ(CoreOfSlot(allowed, 200), 7);
}

TEST(CorePin, WhoIsPinnedHasOneCoreLeft) {
  std::thread([] {
    const std::vector<int> before = AllowedCores();
    ASSERT_TRUE(PinToCoreOf(1).ok());
    EXPECT_EQ(AllowedCores(), std::vector<int>{before[1 % before.size()]});
    EXPECT_EQ(sched_getcpu(), before[1 % before.size()]);
    ASSERT_TRUE(PinToCoreOf(5).ok()) << "of what is left";
  }).join();
}

}  // namespace
}  // namespace uc
