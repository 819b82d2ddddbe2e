#include "core/http/head_scan.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace uc::http {
namespace {

using Result = HeadScan::Result;

std::string Verdict(absl::string_view bytes) {
  HeadScan scan;
  switch (scan.Scan(bytes)) {
    case Result::kNeedMore:
      return "more";
    case Result::kComplete:
      return absl::StrCat(scan.taken(), " bytes, ", scan.lines(), " lines");
    case Result::kBad:
      return std::string(scan.fault().reason);
  }
  return "";
}

TEST(HeadScanTest, StopsBehindTheEmptyLine) {
  EXPECT_EQ(Verdict("a\r\n\r\nrest"), "5 bytes, 2 lines");
  EXPECT_EQ(Verdict("a\r\nb\r\nc\r\n\r\n\r\n"), "11 bytes, 4 lines");
  EXPECT_EQ(Verdict("a\r\n"), "more");
  EXPECT_EQ(Verdict(""), "more");
}

TEST(HeadScanTest, KnowsTheRequestLineAsSoonAsItEnds) {
  HeadScan scan;
  scan.Scan("GET /");
  EXPECT_EQ(scan.request_line_bytes(), 0u);
  scan.Scan(" HTTP/1.1\r");
  EXPECT_EQ(scan.request_line_bytes(), 14u);
  scan.Scan("\nlonger than the first line\r\n");
  EXPECT_EQ(scan.request_line_bytes(), 14u);
}

// Vectors of 16 bytes: each control byte at each place of two of them, and behind.
TEST(HeadScanTest, FindsEachControlByteWhereverItIs) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
    for (size_t at = 0; at < 40; ++at) {
      std::string line(40, 'x');
      line[at] = static_cast<char>(byte);
      const bool bad = Verdict(line + "\r\n\r\n") != "44 bytes, 2 lines";
      EXPECT_EQ(bad, control) << "byte " << byte << " at " << at;
    }
  }
}

TEST(HeadScanTest, RefusesEveryOtherEndOfALine) {
  EXPECT_EQ(Verdict("a\n"), "bare LF in a head");
  EXPECT_EQ(Verdict("a\rb"), "bare CR in a head");
  EXPECT_EQ(Verdict("a\r\r"), "bare CR in a head");
  EXPECT_EQ(Verdict("a\r\n\rb"), "bare CR in a head");
  EXPECT_EQ(Verdict("a\r\n\n"), "bare LF in a head");
}

TEST(HeadScanTest, RefusesLinesThatBeginWithWhiteSpace) {
  EXPECT_EQ(Verdict("a\r\n b"), "line that begins with white space");
  EXPECT_EQ(Verdict("a\r\n\tb"), "line that begins with white space");
  EXPECT_EQ(Verdict("a\r\n\t"), "line that begins with white space");
}

TEST(BlankLinesTest, AreSkippedInPairsOfCrAndLf) {
  BlankLines blank;
  EXPECT_EQ(blank.Skip("\r\n\r"), 3u);
  EXPECT_EQ(blank.Skip("\n\r\nGET"), 3u);
  EXPECT_FALSE(blank.fault());
}

TEST(BlankLinesTest, AreFew) {
  BlankLines blank;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(blank.Skip("\r\n"), 2u);
  EXPECT_FALSE(blank.fault());
  blank.Skip("\r");
  EXPECT_EQ(blank.fault().status, 400);
  blank.Begin();
  EXPECT_FALSE(blank.fault());
}

TEST(BlankLinesTest, RefuseHalfALineEnd) {
  for (absl::string_view bytes : {"\n", "\rG", "\r\r", "\r\n\n"}) {
    BlankLines blank;
    blank.Skip(bytes);
    EXPECT_EQ(blank.fault().status, 400);
  }
}

}  // namespace
}  // namespace uc::http
