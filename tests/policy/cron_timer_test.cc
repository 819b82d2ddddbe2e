#include "core/policy/cron_timer.h"

#include <gtest/gtest.h>

namespace uc::policy {
namespace {

class CronTimerTest : public ::testing::Test {
 protected:
  // Of 2026-11-25, UTC.
  static absl::Time At(int hour, int minute, int second = 0) {
    return absl::FromCivil(absl::CivilSecond(2026, 11, 25, hour, minute, second),
                           absl::UTCTimeZone());
  }
  static CronTimer Hourly(absl::Time date) {
    return {*CronSchedule::Parse("0 * * * *"), absl::UTCTimeZone(), date};
  }
};

TEST_F(CronTimerTest, FiresOnceWhenItIsDue) {
  CronTimer timer = Hourly(At(2, 30));
  EXPECT_EQ(timer.TimeLeft(At(2, 30)), absl::Minutes(30));
  EXPECT_FALSE(timer.Fires(At(2, 59, 59)));
  EXPECT_TRUE(timer.Fires(At(3, 0)));
  EXPECT_FALSE(timer.Fires(At(3, 0)));
  EXPECT_FALSE(timer.Fires(At(3, 59)));
  EXPECT_TRUE(timer.Fires(At(4, 0, 1)));
}

TEST_F(CronTimerTest, WhatWasSleptThroughFiresOnce) {
  CronTimer timer = Hourly(At(2, 30));
  EXPECT_TRUE(timer.Fires(At(9, 30)));
  EXPECT_FALSE(timer.Fires(At(9, 31)));
  EXPECT_TRUE(timer.Fires(At(10, 0)));
}

TEST_F(CronTimerTest, ClockThatIsSetBackIsBelieved) {
  CronTimer timer = Hourly(At(22, 30));
  EXPECT_FALSE(timer.Fires(At(2, 59)));
  EXPECT_EQ(timer.TimeLeft(At(2, 59)), absl::Minutes(1));
  EXPECT_TRUE(timer.Fires(At(3, 0)));
}

}  // namespace
}  // namespace uc::policy
