// Times are written as they are on the wall: "2026-11-25 03:00".
#include "core/policy/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace uc::policy {
namespace {

using ::testing::HasSubstr;

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

class CronTest : public ::testing::Test {
 protected:
  absl::Time At(const char* wall) const {
    absl::Time time;
    std::string error;
    EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M", wall, zone_, &time, &error)) << error;
    return time;
  }
  std::string After(const char* expression, absl::Time after) const {
    const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(expression);
    EXPECT_TRUE(schedule.ok()) << schedule.status();
    if (!schedule.ok()) return "";
    return absl::FormatTime("%Y-%m-%d %H:%M %Ez", schedule->Next(after, zone_), zone_);
  }
  std::string After(const char* expression, const char* wall) const {
    return After(expression, At(wall)).substr(0, 16);
  }
  static std::string Error(absl::string_view expression) {
    const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(expression);
    return schedule.ok() ? "" : std::string(schedule.status().message());
  }

  absl::TimeZone zone_ = absl::UTCTimeZone();
};

TEST_F(CronTest, EveryNightAtThree) {
  EXPECT_EQ(After("0 3 * * *", "2026-11-25 02:59"), "2026-11-25 03:00");
  EXPECT_EQ(After("0 3 * * *", "2026-11-25 03:00"), "2026-11-26 03:00");
  EXPECT_EQ(After("0 3 * * *", "2026-12-31 12:00"), "2027-01-01 03:00");
}

TEST_F(CronTest, StarsListsRangesSteps) {
  EXPECT_EQ(After("* * * * *", "2026-11-25 03:00"), "2026-11-25 03:01");
  EXPECT_EQ(After("*/20 * * * *", "2026-11-25 03:21"), "2026-11-25 03:40");
  EXPECT_EQ(After("5,50 8-10 * * *", "2026-11-25 08:06"), "2026-11-25 08:50");
  EXPECT_EQ(After("0 9-17/4 * * *", "2026-11-25 14:00"), "2026-11-25 17:00");
  EXPECT_EQ(After("30/15 0 * * *", "2026-11-25 00:31"), "2026-11-25 00:45");
}

TEST_F(CronTest, DaysAndMonths) {
  EXPECT_EQ(After("0 0 1 * *", "2026-11-25 00:00"), "2026-12-01 00:00");
  EXPECT_EQ(After("0 0 * feb *", "2026-11-25 00:00"), "2027-02-01 00:00");
  EXPECT_EQ(After("0 0 * * mon-fri", "2026-11-27 00:00"), "2026-11-30 00:00");  // a Friday
  EXPECT_EQ(After("0 0 * * 0", "2026-11-25 00:00"), "2026-11-29 00:00");
  EXPECT_EQ(After("0 0 * * 7", "2026-11-25 00:00"), "2026-11-29 00:00");
  EXPECT_EQ(After("0 0 29 2 *", "2026-11-25 00:00"), "2028-02-29 00:00");
}

TEST_F(CronTest, OfTwoRestrictedDaysOneIsEnough) {
  EXPECT_EQ(After("0 0 28 * sun", "2026-11-25 00:00"), "2026-11-28 00:00");
  EXPECT_EQ(After("0 0 28 * sun", "2026-11-28 00:00"), "2026-11-29 00:00");
}

TEST_F(CronTest, SecondsDoNotMatter) {
  EXPECT_EQ(After("0 3 * * *", At("2026-11-25 02:59") + absl::Seconds(59)).substr(0, 16),
            "2026-11-25 03:00");
  EXPECT_EQ(After("0 3 * * *", At("2026-11-25 03:00") + absl::Nanoseconds(1)).substr(0, 16),
            "2026-11-26 03:00");
}

// --- When clocks change ---

TEST_F(CronTest, HourThatIsSkippedComesAtTheChange) {
  zone_ = Zone("Europe/Berlin");  // 2026-03-29 02:00 -> 03:00
  EXPECT_EQ(After("30 2 * * *", At("2026-03-29 01:00")), "2026-03-29 03:00 +02:00");
  EXPECT_EQ(After("30 2 * * *", At("2026-03-29 03:00")), "2026-03-30 02:30 +02:00");
  EXPECT_EQ(After("0 3 * * *", At("2026-03-29 01:00")), "2026-03-29 03:00 +02:00");
}

TEST_F(CronTest, HourThatComesTwiceCountsOnce) {
  zone_ = Zone("Europe/Berlin");  // 2026-10-25 03:00 -> 02:00
  EXPECT_EQ(After("30 2 * * *", At("2026-10-25 01:00")), "2026-10-25 02:30 +02:00");
  const absl::Time first = At("2026-10-25 01:00") + absl::Minutes(90);
  EXPECT_EQ(After("30 2 * * *", first), "2026-10-26 02:30 +01:00");
}

TEST_F(CronTest, WhatComesEveryHourComesInBoth) {
  zone_ = Zone("Europe/Berlin");
  const absl::Time first = At("2026-10-25 01:00") + absl::Minutes(90);
  EXPECT_EQ(After("30 * * * *", first), "2026-10-25 02:30 +01:00");
}

TEST_F(CronTest, LocalTimeIsTheZones) {
  zone_ = Zone("Asia/Kolkata");
  EXPECT_EQ(After("0 3 * * *", At("2026-11-25 02:59")), "2026-11-25 03:00 +05:30");
}

// --- Errors ---

TEST_F(CronTest, WrongExpressionsSayWhatIsWrong) {
  EXPECT_THAT(Error(""), HasSubstr("expected five fields"));
  EXPECT_THAT(Error("* * * *"), HasSubstr("there are 4"));
  EXPECT_THAT(Error("0 0 3 * * *"), HasSubstr("there are 6"));
  EXPECT_THAT(Error("@daily"), HasSubstr("expected five fields"));
  EXPECT_THAT(Error("60 * * * *"),
              HasSubstr("'60' is no minute: expected *, or numbers from 0 to 59"));
  EXPECT_THAT(Error("* 24 * * *"), HasSubstr("no hour"));
  EXPECT_THAT(Error("* * 0 * *"), HasSubstr("no day of the month"));
  EXPECT_THAT(Error("* * * foo *"), HasSubstr("no month"));
  EXPECT_THAT(Error("* * * * 8"), HasSubstr("no day of the week"));
  for (const char* wrong :
       {"5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *", "1,,2 * * * *", "-1 * * * *", "1.5 * * * *",
        "*/x * * * *", "*/1/1 * * * *", "+1 * * * *", "99999999999 * * * *"}) {
    EXPECT_THAT(Error(wrong), HasSubstr("is no minute")) << wrong;
  }
  EXPECT_EQ(Error("0 0 30 2 *"), "this day never comes");
  EXPECT_THAT(Error("\x1b[31m * * * *"), HasSubstr("'?[31m' is no minute"));
}

}  // namespace
}  // namespace uc::policy
