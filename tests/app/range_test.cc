#include "core/app/range.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace uc::app {
namespace {

// "whole", "none" or "OFFSET+LENGTH".
std::string Choose(std::string_view field, uint64_t size) {
  const ByteRange range = ChooseRange(field, size);
  switch (range.kind) {
    case ByteRange::Kind::kWhole:
      return "whole";
    case ByteRange::Kind::kUnsatisfiable:
      return "none";
    case ByteRange::Kind::kPart:
      return std::to_string(range.offset) + "+" + std::to_string(range.length);
  }
  return "?";
}

TEST(RangeTest, FirstAndLastAreInclusive) {
  EXPECT_EQ(Choose("bytes=0-0", 10), "0+1");
  EXPECT_EQ(Choose("bytes=2-5", 10), "2+4");
  EXPECT_EQ(Choose("bytes=0-9", 10), "0+10");
  EXPECT_EQ(Choose("bytes=9-9", 10), "9+1");
}

TEST(RangeTest, OpenEndAndLateEndStopAtTheLastByte) {
  EXPECT_EQ(Choose("bytes=3-", 10), "3+7");
  EXPECT_EQ(Choose("bytes=3-1000", 10), "3+7");
  EXPECT_EQ(Choose("bytes=3-99999999999999999999999999", 10), "3+7");
}

TEST(RangeTest, SuffixCountsFromTheEnd) {
  EXPECT_EQ(Choose("bytes=-1", 10), "9+1");
  EXPECT_EQ(Choose("bytes=-10", 10), "0+10");
  EXPECT_EQ(Choose("bytes=-11", 10), "0+10");
  EXPECT_EQ(Choose("bytes=-99999999999999999999999999", 10), "0+10");
}

TEST(RangeTest, HugeFilesKeepEveryDigit) {
  EXPECT_EQ(Choose("bytes=8589934592-8589934593", 1ull << 40), "8589934592+2");
  EXPECT_EQ(Choose("bytes=-1", 1ull << 62), std::to_string((1ull << 62) - 1) + "+1");
}

TEST(RangeTest, OutsideIsUnsatisfiable) {
  EXPECT_EQ(Choose("bytes=10-", 10), "none");
  EXPECT_EQ(Choose("bytes=10-20", 10), "none");
  EXPECT_EQ(Choose("bytes=18446744073709551615-", 10), "none");
  EXPECT_EQ(Choose("bytes=18446744073709551616-", 10), "none");
  EXPECT_EQ(Choose("bytes=-0", 10), "none");
}

TEST(RangeTest, NothingOfAnEmptyFileIsSatisfiable) {
  EXPECT_EQ(Choose("bytes=0-", 0), "none");
  EXPECT_EQ(Choose("bytes=0-0", 0), "none");
  EXPECT_EQ(Choose("bytes=-5", 0), "none");
}

TEST(RangeTest, SeveralRangesGetTheWhole) {
  EXPECT_EQ(Choose("bytes=0-1,3-4", 10), "whole");
  EXPECT_EQ(Choose("bytes=0-1, -1", 10), "whole");
  EXPECT_EQ(Choose("bytes=0-,0-,0-,0-", 10), "whole");
}

TEST(RangeTest, TheUnitIsCaseInsensitive) { EXPECT_EQ(Choose("Bytes=1-2", 10), "1+2"); }

TEST(RangeTest, MalformedIsIgnored) {
  for (const char* field :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=5-2", "bytes=1-2x",
        "bytes= 1-2", "bytes=1 -2", "bytes=+1-2", "bytes=--1", "bytes=1--2", "bytes=-1-2",
        "lines=0-1", "bytes:0-1", "bytes=0x1-2", "bytes=0-1;"}) {
    EXPECT_EQ(Choose(field, 10), "whole") << field;
  }
}

TEST(RangeTest, NoFieldLeadsOutOfTheFile) {
  std::mt19937 chance(7);
  constexpr std::string_view kAlphabet = "0123456789-,x ";
  for (int round = 0; round < 200'000; ++round) {
    std::string field = "bytes=";
    for (size_t left = chance() % 8; left > 0; --left) field += kAlphabet[chance() % 14];
    const uint64_t size = chance() % 1000;
    const ByteRange range = ChooseRange(field, size);
    if (range.kind != ByteRange::Kind::kPart) continue;
    ASSERT_GT(range.length, 0u) << field;
    ASSERT_LT(range.offset, size) << field;
    ASSERT_LE(range.length, size - range.offset) << field;
  }
}

}  // namespace
}  // namespace uc::app
