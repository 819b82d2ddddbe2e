#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "core/http/writer.h"

namespace uc::http {
namespace {

absl::Time Utc(int year, int month, int day, int hour, int minute, int second) {
  return absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, second),
                         absl::UTCTimeZone());
}

TEST(DateTest, IsWrittenAsImfFixdate) {
  EXPECT_EQ(FormatDate(Utc(1994, 11, 6, 8, 49, 37)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatDate(absl::UnixEpoch()), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(FormatDate(absl::UnixEpoch() - absl::Nanoseconds(1)), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(DateTest, IsAlways29Bytes) {
  EXPECT_EQ(FormatDate(absl::InfinitePast()), "Sat, 01 Jan 0000 00:00:00 GMT");
  EXPECT_EQ(FormatDate(absl::InfiniteFuture()), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(DateTest, IsReadInAllThreeForms) {
  const absl::Time time = Utc(1994, 11, 6, 8, 49, 37);
  EXPECT_EQ(ParseDate("Sun, 06 Nov 1994 08:49:37 GMT"), time);
  EXPECT_EQ(ParseDate("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  EXPECT_EQ(ParseDate("Sun Nov  6 08:49:37 1994"), time);
  EXPECT_EQ(ParseDate("Wed Nov 16 08:49:37 1994"), time + absl::Hours(240));
}

TEST(DateTest, WhatIsWrittenIsReadAgain) {
  for (int64_t second = -40'000'000'000; second < 200'000'000'000; second += 86'399 * 997) {
    const absl::Time time = absl::FromUnixSeconds(second);
    EXPECT_EQ(ParseDate(FormatDate(time)), time) << FormatDate(time);
  }
}

TEST(DateTest, TheDaysNameTellsTheCentury) {
  EXPECT_EQ(ParseDate("Monday, 23-Nov-26 00:00:00 GMT"), Utc(2026, 11, 23, 0, 0, 0));
  EXPECT_EQ(ParseDate("Tuesday, 23-Nov-26 00:00:00 GMT"), Utc(1926, 11, 23, 0, 0, 0));
  EXPECT_EQ(ParseDate("Wednesday, 23-Nov-26 00:00:00 GMT"), std::nullopt);
}

TEST(DateTest, ALeapSecondIsTheNextMinute) {
  EXPECT_EQ(ParseDate("Sat, 31 Dec 2016 23:59:60 GMT"), Utc(2017, 1, 1, 0, 0, 0));
}

TEST(DateTest, DaysThatAreNotInTheCalendarAreRefused) {
  EXPECT_TRUE(ParseDate("Thu, 29 Feb 2024 00:00:00 GMT").has_value());
  for (const char* text : {"Sat, 29 Feb 2025 00:00:00 GMT", "Wed, 31 Apr 2025 00:00:00 GMT",
                           "Sun, 00 Nov 1994 00:00:00 GMT", "Sun, 32 Nov 1994 00:00:00 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 00:60:00 GMT",
                           "Sun, 06 Nov 1994 00:00:61 GMT", "Mon, 06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(ParseDate(text), std::nullopt) << text;
  }
}

TEST(DateTest, EverythingElseIsRefused) {
  for (const char* text : {"",
                           " ",
                           "0",
                           "now",
                           "Sun",
                           "Sun,",
                           "Sun, 06 Nov 1994 08:49:37",
                           "784111777",
                           " Sun, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           "sun, 06 nov 1994 08:49:37 gmt",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 94 08:49:37 GMT",
                           "Sun, 06 Nov 1994 8:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49 GMT",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 +0000",
                           "Sun,  06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 11 1994 08:49:37 GMT",
                           "Sun, -6 Nov 1994 08:49:37 GMT",
                           "Sunday, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06-Nov-94 08:49:37 GMT",
                           "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994",
                           "Sun Nov 06 08:49:37 94",
                           "1994-11-06T08:49:37Z"}) {
    EXPECT_EQ(ParseDate(text), std::nullopt) << text;
  }
  const std::string good = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(ParseDate(good.substr(0, size)), std::nullopt) << size;
  }
}

TEST(DateCacheTest, FollowsTheSeconds) {
  DateCache cache;
  EXPECT_EQ(cache.text(), "");
  cache.Set(absl::UnixEpoch());
  EXPECT_EQ(cache.text(), "Thu, 01 Jan 1970 00:00:00 GMT");
  cache.Set(absl::UnixEpoch() + absl::Milliseconds(999));
  EXPECT_EQ(cache.text(), "Thu, 01 Jan 1970 00:00:00 GMT");
  cache.Set(absl::UnixEpoch() + absl::Seconds(1));
  EXPECT_EQ(cache.text(), "Thu, 01 Jan 1970 00:00:01 GMT");
  cache.Set(absl::UnixEpoch() - absl::Seconds(1));
  EXPECT_EQ(cache.text(), "Wed, 31 Dec 1969 23:59:59 GMT");
}

}  // namespace
}  // namespace uc::http
