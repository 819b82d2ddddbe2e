#include "core/exec/queue_watch.h"

#include "gtest/gtest.h"

namespace uc::exec {
namespace {

TEST(QueueWatchTest, NobodyWaitsSoNobodyIsSilent) {
  QueueWatch watch;
  for (int i = 0; i < 10; ++i) watch.Look(0, 0);
  EXPECT_FALSE(watch.silent());
}

TEST(QueueWatchTest, ConnectionThatHasJustComeIsNoSilence) {
  QueueWatch watch;
  watch.Look(0, 7);
  watch.Look(1, 7);
  EXPECT_FALSE(watch.silent());
  watch.Look(1, 7);
  EXPECT_TRUE(watch.silent());
}

TEST(QueueWatchTest, SlowProgramThatGoesOnAcceptingIsNotSilent) {
  QueueWatch watch;
  for (uint64_t accepted = 1; accepted < 20; ++accepted) {
    watch.Look(100 + static_cast<uint32_t>(accepted), accepted);
    EXPECT_FALSE(watch.silent());
  }
}

TEST(QueueWatchTest, SilentUntilItMovesThoughAnotherOneEmptiesItsQueue) {
  QueueWatch watch;
  for (int i = 0; i < 3; ++i) watch.Look(1, 7);
  ASSERT_TRUE(watch.silent());
  watch.Look(0, 7);
  EXPECT_TRUE(watch.silent());
  watch.Look(0, 8);
  EXPECT_FALSE(watch.silent());
}

TEST(QueueWatchTest, WithoutKnownTurnsAQueueThatShrinksIsProgress) {
  QueueWatch watch;
  for (uint32_t waiting : {5u, 4u, 6u, 5u}) watch.Look(waiting);
  EXPECT_FALSE(watch.silent());
  for (int i = 0; i < 3; ++i) watch.Look(6);
  EXPECT_TRUE(watch.silent());
  watch.Look(0);
  EXPECT_FALSE(watch.silent());
}

}  // namespace
}  // namespace uc::exec
