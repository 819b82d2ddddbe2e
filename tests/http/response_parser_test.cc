// ResponseParser: framing of responses, whatever the cuts; ends in the middle; what is refused.
#include "core/http/response_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace uc::http {
namespace {

constexpr ParserLimits kLimits = {.head_bytes_max = 2048, .fields_max = 20};

std::string BodyText(const ResponseMessage& head) {
  switch (head.body) {
    case ResponseMessage::Body::kNone:
      return "none";
    case ResponseMessage::Body::kInterim:
      return "interim";
    case ResponseMessage::Body::kTunnel:
      return "tunnel";
    case ResponseMessage::Body::kLength:
      return absl::StrCat("length ", *head.content_length);
    case ResponseMessage::Body::kChunked:
      return "chunked";
    case ResponseMessage::Body::kUntilClose:
      return "until close";
  }
  return "?";
}

// Feeds inputs of `size` bytes (each in memory of its own) and writes down what comes out.
std::string Read(const std::string& bytes, size_t size, Answers request = Answers::kOther,
                 bool end = true) {
  ResponseParser parser(kLimits);
  parser.Begin(request);
  std::string text, body;
  const auto take = [&](const Step& step) {
    if (step.kind == Step::Kind::kHead) {
      const ResponseMessage& head = parser.head();
      absl::StrAppend(&text, head.status, " ", head.reason, ", ", BodyText(head),
                      head.keep_alive ? "" : ", close");
      for (const Field& field : head.fields) {
        absl::StrAppend(&text, "\n  ", field.name, ": ", field.value);
      }
      text += "\n";
    } else if (step.kind == Step::Kind::kBody) {
      body.append(step.body.data(), step.body.size());
    } else if (step.kind == Step::Kind::kComplete) {
      absl::StrAppend(&text, body.empty() ? "" : absl::StrCat("  body: ", body, "\n"));
      for (const Field& field : parser.trailers()) {
        absl::StrAppend(&text, "  trailer ", field.name, ": ", field.value, "\n");
      }
      text += "complete\n";
      body.clear();
    } else if (step.kind == Step::Kind::kError) {
      absl::StrAppend(&text, "error ", step.status, " ", step.reason, "\n");
    }
  };
  for (size_t at = 0; at < bytes.size(); at += size) {
    const std::string piece = bytes.substr(at, size);
    absl::string_view left = piece;
    for (;;) {
      const Step step = parser.Next(left);
      left.remove_prefix(step.consumed);
      take(step);
      if (step.kind == Step::Kind::kError) return text;
      // A message without a body completes without bytes.
      if (step.kind == Step::Kind::kNeedMore || (left.empty() && !parser.mid_message())) break;
    }
  }
  if (end) take(parser.End());
  return text;
}

struct Case {
  std::string name, bytes, expect;
  Answers request = Answers::kOther;
};

class ResponseParserCase : public testing::TestWithParam<Case> {};

TEST_P(ResponseParserCase, IsReadTheSameHoweverItIsCut) {
  const Case& one = GetParam();
  for (size_t size = 1; size <= one.bytes.size(); ++size) {
    ASSERT_EQ(Read(one.bytes, size, one.request), one.expect) << "pieces of " << size;
  }
}

const Case kCases[] = {
    {"Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     "200 OK, length 5\n  Content-Length: 5\n  body: hello\ncomplete\n"},
    {"NoBytes", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "200 OK, length 0\n  Content-Length: 0\ncomplete\n"},
    {"TwoAlike",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: a\r\n\r\n1"
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: b\r\n\r\n2",
     "200 OK, length 1\n  Content-Length: 1\n  X: a\n  body: 1\ncomplete\n"
     "200 OK, length 1\n  Content-Length: 1\n  X: b\n  body: 2\ncomplete\n"},
    {"TwoOfOtherStatus",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\n\r\n",
     "200 OK, length 1\n  Content-Length: 1\n  body: 1\ncomplete\n"
     "304 Not Modified, none\n  Content-Length: 1\ncomplete\n"},
    {"Chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
     "200 OK, chunked\n  Transfer-Encoding: chunked\n  body: abcd\ncomplete\n"},
    {"Trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\nY:  z "
     "\r\n\r\n",
     "200 OK, chunked\n  Transfer-Encoding: chunked\n  body: a\n  trailer X-Sum: 7\n  trailer Y: "
     "z\n"
     "complete\n"},
    {"UntilClose", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nall of it",
     "200 OK, until close\n  X: y\n  body: all of it\ncomplete\n"},
    {"Old", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
     "200 OK, length 1, close\n  Content-Length: 1\n  body: a\ncomplete\n"},
    {"OldKept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
     "200 OK, length 1\n  Connection: keep-alive\n  Content-Length: 1\n  body: a\ncomplete\n"},
    {"Close", "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 1\r\n\r\na",
     "200 OK, length 1, close\n  Connection: x, close\n  Content-Length: 1\n  body: a\ncomplete\n"},
    {"Head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     "200 OK, none\n  Content-Length: 5\ncomplete\n", Answers::kHead},
    {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content, none\ncomplete\n"},
    {"NotModified", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
     "304 Not Modified, none\n  Transfer-Encoding: chunked\ncomplete\n"},
    {"Interim",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
     "103 Early Hints, interim\n  Link: x\n"
     "200 OK, length 1\n  Content-Length: 1\n  body: a\ncomplete\n"},
    {"Switching", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
     "101 Switching Protocols, tunnel\n  Upgrade: x\ncomplete\n"},
    {"Connected", "HTTP/1.1 200 OK\r\n\r\n", "200 OK, tunnel\ncomplete\n", Answers::kConnect},
    {"RefusedConnect", "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\na",
     "403 No, length 1\n  Content-Length: 1\n  body: a\ncomplete\n", Answers::kConnect},
    {"NoReason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
     "200 , length 0\n  Content-Length: 0\ncomplete\n"},
    {"EmptyReason", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n",
     "299 , length 0\n  Content-Length: 0\ncomplete\n"},
    {"LaterVersion", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
     "200 OK, length 0\n  Content-Length: 0\ncomplete\n"},
    {"EndsInHead", "HTTP/1.1 200 OK\r\nConten", "error 502 connection ended within a head\n"},
    {"EndsInBody", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
     "200 OK, length 5\n  Content-Length: 5\nerror 502 connection ended within a body\n"},
    {"EndsInChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
     "200 OK, chunked\n  Transfer-Encoding: chunked\nerror 502 connection ended within a body\n"},
    {"EndsBehindAMessage", "HTTP/1.1 204 x\r\n\r\n", "204 x, none\ncomplete\n"},
};

INSTANTIATE_TEST_SUITE_P(All, ResponseParserCase, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

class RefusedResponse : public testing::TestWithParam<Case> {};

TEST_P(RefusedResponse, IsABadGatewayHoweverItIsCut) {
  const Case& one = GetParam();
  for (size_t size = 1; size <= one.bytes.size(); ++size) {
    const std::string text = Read(one.bytes, size, one.request, false);
    const size_t error = text.find("error ");
    ASSERT_NE(error, std::string::npos) << "pieces of " << size << ": " << text;
    ASSERT_EQ(text.substr(error), absl::StrCat("error 502 ", one.expect, "\n"));
  }
}

const Case kRefused[] = {
    {"BothFramings", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     "both Content-Length and Transfer-Encoding"},
    {"TwoLengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
     "repeated Content-Length"},
    {"BadLength", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "malformed Content-Length"},
    {"OtherCoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
     "Transfer-Encoding other than chunked"},
    {"CodingInOld", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "Transfer-Encoding in HTTP/1.0"},
    {"BareLf", "HTTP/1.1 200 OK\nX: y\r\n\r\n", "bare LF in a head"},
    {"Fold", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "line that begins with white space"},
    {"SpaceBeforeColon", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
     "line that does not begin with a name and a colon"},
    {"NotHttp", "SSH-2.0-OpenSSH\r\n\r\n", "malformed status line"},
    {"NotHttpAndNoEnd", "220 mail ready", "malformed status line"},
    {"OtherMajor", "HTTP/2.0 200 OK\r\n\r\n", "malformed status line"},
    {"ShortStatus", "HTTP/1.1 20 OK\r\n\r\n", "malformed status line"},
    {"LongStatus", "HTTP/1.1 2000 OK\r\n\r\n", "malformed status line"},
    {"BadChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
     "malformed chunk size"},
    {"BadTrailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX y\r\n\r\n",
     "malformed trailer"},
    {"TooLarge", absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(3000, 'a')), "head too large"},
};

INSTANTIATE_TEST_SUITE_P(All, RefusedResponse, testing::ValuesIn(kRefused),
                         [](const auto& info) { return info.param.name; });

TEST(ResponseParserTest, AControlByteIsSeenInALineThatIsOtherwiseLikeTheLast) {
  ResponseParser parser(kLimits);
  const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(parser.Next(good).kind, Step::Kind::kHead);
  ASSERT_EQ(parser.Next("").kind, Step::Kind::kComplete);
  const std::string bad = "HTTP/1.1 200 O\nX\r\nContent-Length: 0\r\n\r\n";
  const Step step = parser.Next(bad);
  EXPECT_EQ(step.kind, Step::Kind::kError);
  EXPECT_EQ(step.reason, "bare LF in a head");
}

TEST(ResponseParserTest, KnowsWhetherAResponseIsUnderWay) {
  ResponseParser parser(kLimits);
  EXPECT_FALSE(parser.mid_message());
  parser.Next("HTTP");
  EXPECT_TRUE(parser.mid_message());
}

}  // namespace
}  // namespace uc::http
