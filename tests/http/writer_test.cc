#include "core/http/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace uc::http {
namespace {

constexpr absl::string_view kDate = "Mon, 23 Nov 2026 16:11:07 GMT";

std::string Write(const ResponseHead& head, size_t left_out = 0) {
  std::string out = "before|";
  EXPECT_EQ(AppendResponseHead(head, &out), left_out);
  EXPECT_EQ(out.substr(0, 7), "before|") << "it appends";
  return out.substr(7);
}

TEST(WriterTest, TheOrderIsStatusDateFramingConnectionFields) {
  const Field fields[] = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
  EXPECT_EQ(Write({.fields = fields,
                   .date = kDate,
                   .connection = ConnectionField::kClose,
                   .content_length = 5}),
            "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 16:11:07 GMT\r\nContent-Length: 5\r\n"
            "Connection: close\r\nContent-Type: text/plain\r\nX-Empty: \r\n\r\n");
}

TEST(WriterTest, EachFramingHasItsField) {
  EXPECT_EQ(Write({.framing = BodyFraming::kLength}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(Write({.framing = BodyFraming::kLength, .content_length = ~uint64_t{0}}),
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n");
  EXPECT_EQ(Write({.framing = BodyFraming::kChunked}),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(Write({.framing = BodyFraming::kUntilClose}), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(Write({.status = 304, .framing = BodyFraming::kNone, .content_length = 5}),
            "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(WriterTest, KeepAliveIsSaidWhenAskedFor) {
  EXPECT_EQ(Write({.connection = ConnectionField::kKeepAlive, .framing = BodyFraming::kUntilClose}),
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
}

TEST(WriterTest, CodesWithoutAReasonPhraseAreWrittenAllTheSame) {
  EXPECT_EQ(Write({.status = 299, .framing = BodyFraming::kNone}), "HTTP/1.1 299 \r\n\r\n");
  EXPECT_EQ(Write({.status = 999, .framing = BodyFraming::kNone}), "HTTP/1.1 999 \r\n\r\n");
}

TEST(WriterTest, NumbersThatAreNoStatusBecome500) {
  for (int status : {-200, 0, 99, 1000}) {
    EXPECT_EQ(Write({.status = status, .framing = BodyFraming::kNone}),
              "HTTP/1.1 500 Internal Server Error\r\n\r\n");
  }
}

TEST(WriterTest, FieldsThatWouldSplitTheHeadAreLeftOutAndCounted) {
  const absl::string_view nul("a\0b", 3);
  const Field fields[] = {{"A", "b\r\nSet-Cookie: c"},
                          {"A", "b\nc"},
                          {"A", "b\rc"},
                          {"A", nul},
                          {"A\r\nB", "c"},
                          {nul, "c"},
                          {"", "c"},
                          {"A: b", "c"},
                          {"A B", "c"},
                          {"Good", "d"}};
  EXPECT_EQ(Write({.fields = fields, .framing = BodyFraming::kNone}, 9),
            "HTTP/1.1 200 OK\r\nGood: d\r\n\r\n");
}

TEST(WriterTest, FieldsThatAreOursAreLeftOutAndCounted) {
  const Field fields[] = {{"content-length", "7"},
                          {"Transfer-Encoding", "chunked"},
                          {"CONNECTION", "keep-alive"},
                          {"Content-Lengths", "1"},
                          {"Data", "2"}};
  EXPECT_EQ(Write({.fields = fields}, 3),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Lengths: 1\r\nData: 2\r\n\r\n");
}

TEST(WriterTest, TheAppsDateStandsWhenThereIsNoneOfOurs) {
  const Field fields[] = {{"date", "app's"}};
  EXPECT_EQ(Write({.fields = fields, .framing = BodyFraming::kNone}),
            "HTTP/1.1 200 OK\r\ndate: app's\r\n\r\n");
  EXPECT_EQ(Write({.fields = fields, .date = kDate, .framing = BodyFraming::kNone}, 1),
            absl::StrCat("HTTP/1.1 200 OK\r\nDate: ", kDate, "\r\n\r\n"));
}

// Whatever it has written before, a HeadWriter writes what AppendResponseHead writes.
TEST(HeadWriterTest, WritesEachHeadAsIfItWereTheFirst) {
  const Field text[] = {{"Content-Type", "text/plain"}};
  const Field html[] = {{"Content-Type", "text/html"}};
  const Field two[] = {{"Content-Type", "text/html"}, {"A", "b"}};
  const Field bad[] = {{"Content-Type", "a\r\nb"}};
  const Field other[] = {{"Content-Kind", "text/plain"}};
  constexpr absl::string_view kLater = "Mon, 23 Nov 2026 16:11:08 GMT";
  const ResponseHead heads[] = {
      {.fields = text, .date = kDate, .content_length = 5},
      {.fields = text, .date = kLater, .content_length = 5},
      {.fields = html, .date = kDate, .content_length = 5},
      {.fields = other, .date = kDate, .content_length = 5},
      {.fields = two, .date = kDate, .content_length = 5},
      {.fields = bad, .date = kDate, .content_length = 5},
      {.date = kDate},
      {.content_length = 123'456'789},
      {.status = 404, .fields = text, .date = kDate, .content_length = 5},
      {.status = 304, .fields = text, .date = kDate, .framing = BodyFraming::kNone},
      {.status = 299, .fields = text, .date = kDate, .content_length = 7},
      {.fields = text, .date = kDate, .framing = BodyFraming::kChunked},
      {.fields = text, .date = kDate, .connection = ConnectionField::kClose, .content_length = 5},
      {.fields = text, .date = kDate, .content_length = 6},
  };
  HeadWriter writer;
  for (const ResponseHead& first : heads) {
    for (const ResponseHead& second : heads) {
      for (const ResponseHead* head : {&first, &second, &second}) {
        std::string out = "x", expected = "x";
        const size_t left_out = writer.Append(*head, &out);
        EXPECT_EQ(left_out, AppendResponseHead(*head, &expected));
        EXPECT_EQ(out, expected);
      }
    }
  }
}

TEST(WriterTest, ChunksCarryTheirSizeInHex) {
  std::string out;
  AppendChunk("hello", &out);
  AppendChunk("", &out);
  AppendChunk(std::string(26, 'x'), &out);
  AppendLastChunk(&out);
  EXPECT_EQ(out, "5\r\nhello\r\n1a\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
}

TEST(WriterTest, AnErrorResponseIsWholeAndCloses) {
  std::string out;
  AppendErrorResponse(404, kDate, ErrorBody::kInclude, &out);
  EXPECT_EQ(out,
            "HTTP/1.1 404 Not Found\r\nDate: Mon, 23 Nov 2026 16:11:07 GMT\r\n"
            "Content-Length: 14\r\nConnection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n404 Not Found\n");
}

TEST(WriterTest, AnErrorResponseToAHeadSaysTheLengthOnly) {
  std::string with, without;
  AppendErrorResponse(431, "", ErrorBody::kInclude, &with);
  AppendErrorResponse(431, "", ErrorBody::kOmit, &without);
  EXPECT_EQ(with, without + "431 Request Header Fields Too Large\n");
}

}  // namespace
}  // namespace uc::http
