#include "core/app/conditional.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/civil_time.h"
#include "gtest/gtest.h"

namespace uc::app {
namespace {

constexpr std::string_view kBefore = "Fri, 01 May 2026 09:59:59 GMT";
constexpr std::string_view kExactly = "Fri, 01 May 2026 10:00:00 GMT";
constexpr std::string_view kAfter = "Fri, 01 May 2026 10:00:01 GMT";

Condition EvaluateFields(const std::vector<Header>& headers) {
  const absl::Time modified =
      absl::FromCivil(absl::CivilSecond(2026, 5, 1, 10, 0, 0), absl::UTCTimeZone());
  return Evaluate(headers, {.etag = "\"now\"", .modified = modified});
}

int Status(const std::vector<Header>& headers) {
  switch (EvaluateFields(headers).verdict) {
    case Verdict::kServe:
      return 200;
    case Verdict::kNotModified:
      return 304;
    case Verdict::kPreconditionFailed:
      return 412;
  }
  return 0;
}

std::string Range(const std::vector<Header>& headers) {
  return std::string(EvaluateFields(headers).range);
}

TEST(ConditionalTest, WithoutConditionsEverythingIsServed) {
  EXPECT_EQ(Status({}), 200);
  EXPECT_EQ(Status({{"Host", "a"}, {"Referer", "\"now\""}, {"", ""}}), 200);
}

TEST(ConditionalTest, IfNoneMatchComparesWeaklyInLists) {
  EXPECT_EQ(Status({{"If-None-Match", "\"now\""}}), 304);
  EXPECT_EQ(Status({{"if-none-match", "W/\"now\""}}), 304);
  EXPECT_EQ(Status({{"If-None-Match", "\"old\", \"now\""}}), 304);
  EXPECT_EQ(Status({{"If-None-Match", "\"a,b\",, W/\"c\" ,\t\"now\""}}), 304);
  EXPECT_EQ(Status({{"If-None-Match", "*"}}), 304);
  EXPECT_EQ(Status({{"If-None-Match", "\"old\""}}), 200);
  EXPECT_EQ(Status({{"If-None-Match", "\"no\", \"w\""}}), 200);
}

TEST(ConditionalTest, IfNoneMatchMayStandInSeveralLines) {
  EXPECT_EQ(Status({{"If-None-Match", "\"old\""}, {"If-None-Match", "\"now\""}}), 304);
}

TEST(ConditionalTest, TagsThatAreNoneMatchNothing) {
  for (const char* list : {"", "now", "\"now", "w/\"now\"", "W/now", "W/", "\"", "junk, \"now\"",
                           "**", "*, \"now\"", ","}) {
    EXPECT_EQ(Status({{"If-None-Match", list}}), 200) << list;
  }
}

TEST(ConditionalTest, IfModifiedSinceHasTheResolutionOfASecond) {
  EXPECT_EQ(Status({{"If-Modified-Since", kBefore}}), 200);
  EXPECT_EQ(Status({{"If-Modified-Since", kExactly}}), 304);
  EXPECT_EQ(Status({{"If-Modified-Since", kAfter}}), 304);
}

TEST(ConditionalTest, IfModifiedSinceIsIgnoredBesideIfNoneMatch) {
  EXPECT_EQ(Status({{"If-None-Match", "\"old\""}, {"If-Modified-Since", kAfter}}), 200);
  EXPECT_EQ(Status({{"If-Modified-Since", kBefore}, {"If-None-Match", "\"now\""}}), 304);
}

TEST(ConditionalTest, DatesThatAreNoneOrTwoAreIgnored) {
  EXPECT_EQ(Status({{"If-Modified-Since", "tomorrow"}}), 200);
  EXPECT_EQ(Status({{"If-Modified-Since", ""}}), 200);
  EXPECT_EQ(Status({{"If-Modified-Since", kAfter}, {"If-Modified-Since", kAfter}}), 200);
  EXPECT_EQ(Status({{"If-Unmodified-Since", "yesterday"}}), 200);
}

TEST(ConditionalTest, IfMatchComparesStrongly) {
  EXPECT_EQ(Status({{"If-Match", "\"now\""}}), 200);
  EXPECT_EQ(Status({{"If-Match", "\"old\", \"now\""}}), 200);
  EXPECT_EQ(Status({{"If-Match", "*"}}), 200);
  EXPECT_EQ(Status({{"If-Match", "W/\"now\""}}), 412);
  EXPECT_EQ(Status({{"If-Match", "\"old\""}}), 412);
  EXPECT_EQ(Status({{"If-Match", ""}}), 412);
}

TEST(ConditionalTest, IfUnmodifiedSinceFailsOnceItChanged) {
  EXPECT_EQ(Status({{"If-Unmodified-Since", kBefore}}), 412);
  EXPECT_EQ(Status({{"If-Unmodified-Since", kExactly}}), 200);
  EXPECT_EQ(Status({{"If-Unmodified-Since", kAfter}}), 200);
}

TEST(ConditionalTest, IfUnmodifiedSinceIsIgnoredBesideIfMatch) {
  EXPECT_EQ(Status({{"If-Unmodified-Since", kBefore}, {"If-Match", "\"now\""}}), 200);
}

TEST(ConditionalTest, AFailedPreconditionComesBeforeNotModified) {
  EXPECT_EQ(Status({{"If-None-Match", "\"now\""}, {"If-Match", "\"old\""}}), 412);
  EXPECT_EQ(Status({{"If-None-Match", "\"now\""}, {"If-Match", "\"now\""}}), 304);
}

TEST(ConditionalTest, RangeIsHonouredIfNothingSpeaksAgainstIt) {
  EXPECT_EQ(Range({{"Range", "bytes=0-1"}}), "bytes=0-1");
  EXPECT_EQ(Range({{"Range", "bytes=0-1"}, {"Range", "bytes=0-1"}}), "");
  EXPECT_EQ(Range({{"Range", "bytes=0-1"}, {"If-None-Match", "*"}}), "");
}

TEST(ConditionalTest, IfRangeWantsTheSameRepresentation) {
  const Header range = {"Range", "bytes=0-1"};
  EXPECT_EQ(Range({range, {"If-Range", "\"now\""}}), "bytes=0-1");
  EXPECT_EQ(Range({range, {"If-Range", kExactly}}), "bytes=0-1");
  for (const std::string_view other :
       {std::string_view("\"old\""), std::string_view("W/\"now\""),
        std::string_view("\"now\", \"b\""), kBefore, kAfter, std::string_view(""),
        std::string_view("now"), std::string_view("*")}) {
    EXPECT_EQ(Range({range, {"If-Range", other}}), "") << other;
  }
  EXPECT_EQ(Range({range, {"If-Range", "\"now\""}, {"If-Range", "\"now\""}}), "");
}

}  // namespace
}  // namespace uc::app
