#include "core/http/chunked_body.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace uc::http {
namespace {

class ChunkedBodyTest : public testing::Test {
 protected:
  ChunkedBodyTest() { body_.Begin(limits_); }

  // All data of `input`, and how it ended: "data|complete 3" (bytes left), "|error 400 why", "|more".
  std::string Read(absl::string_view input) {
    std::string data;
    for (;;) {
      const Step step = body_.Next(input);
      input.remove_prefix(step.consumed);
      switch (step.kind) {
        case Step::Kind::kBody:
          absl::StrAppend(&data, step.body);
          break;
        case Step::Kind::kComplete:
          return absl::StrCat(data, "|complete ", input.size());
        case Step::Kind::kError:
          return absl::StrCat(data, "|error ", step.status, " ", step.reason);
        case Step::Kind::kNeedMore:
          return data + "|more";
        case Step::Kind::kHead:
          return data + "|head?";
      }
    }
  }

  const ParserLimits limits_ = {.head_bytes_max = 32, .fields_max = 3};
  ChunkedBody body_;
};

TEST_F(ChunkedBodyTest, DataIsWhatIsBetweenTheFraming) {
  EXPECT_EQ(Read("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET"), "abc0123456789|complete 3");
}

TEST_F(ChunkedBodyTest, AChunkMayComeInPieces) {
  EXPECT_EQ(Read("1"), "|more");
  EXPECT_EQ(Read("0\r"), "|more");
  EXPECT_EQ(Read("\n01234567"), "01234567|more");
  EXPECT_EQ(Read("89abcdef\r"), "89abcdef|more");
  EXPECT_EQ(Read("\n0\r\n\r\n"), "|complete 0");
}

TEST_F(ChunkedBodyTest, TheLargestSizeIsCountedDown) {
  EXPECT_EQ(Read("7fffffffffffffff\r\nabc"), "abc|more");
}

TEST_F(ChunkedBodyTest, SizesPast63BitsAreRefused) {
  EXPECT_EQ(Read("8000000000000000\r\n"), "|error 400 malformed chunk size");
  body_.Begin(limits_);
  EXPECT_EQ(Read("10000000000000000\r\n"), "|error 400 malformed chunk size");
}

TEST_F(ChunkedBodyTest, ExtensionsAreDroppedAndBounded) {
  EXPECT_EQ(Read(absl::StrCat("1;", std::string(256, 'e'), "\r\nx\r\n")), "x|more");
  EXPECT_EQ(Read(absl::StrCat("1;", std::string(257, 'e'))),
            "|error 400 malformed or long chunk extension");
}

TEST_F(ChunkedBodyTest, ExtensionsAreBoundedInAll) {
  const std::string chunk = absl::StrCat("1;", std::string(256, 'e'), "\r\nx\r\n");
  for (int i = 0; i < 16; ++i) EXPECT_EQ(Read(chunk), "x|more");
  EXPECT_EQ(Read(chunk), "|error 400 malformed or long chunk extension");
}

TEST_F(ChunkedBodyTest, TrailersAreDroppedAndBounded) {
  EXPECT_EQ(Read("0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"), "|complete 0");
  body_.Begin(limits_);
  EXPECT_EQ(Read("0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n"), "|error 431 too many trailers");
  body_.Begin(limits_);
  EXPECT_EQ(Read(absl::StrCat("0\r\nA: ", std::string(40, 'x'))), "|error 431 trailers too large");
}

TEST_F(ChunkedBodyTest, TheNextBodyBeginsAfresh) {
  EXPECT_EQ(Read("5\r\nab"), "ab|more");
  body_.Begin(limits_);
  EXPECT_EQ(Read("1\r\nx\r\n0\r\n\r\n"), "x|complete 0");
}

}  // namespace
}  // namespace uc::http
