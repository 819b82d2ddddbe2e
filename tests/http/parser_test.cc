// RequestParser's contract: steps, how long the head holds, limits, reset. The grammar is in the corpora.
#include "core/http/parser.h"

#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/transcript.h"

namespace uc::http {
namespace {

using Kind = Step::Kind;

constexpr absl::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr absl::string_view kPost = "POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\n";

class ParserTest : public testing::Test {
 protected:
  // The next step, which must be of this kind; `rest_` is what it left.
  Step Expect(Kind kind) {
    const Step step = parser_.Next(rest_);
    EXPECT_EQ(static_cast<int>(step.kind), static_cast<int>(kind)) << step.reason;
    rest_.remove_prefix(step.consumed);
    return step;
  }
  void Show(absl::string_view bytes) { rest_ = bytes; }
  int StatusOf(absl::string_view bytes) {
    parser_.Reset();
    return parser_.Next(bytes).status;
  }

  RequestParser parser_{ParserLimits()};
  absl::string_view rest_;
};

TEST_F(ParserTest, ARequestWithoutBodyIsAHeadAndACompletionOfNoBytes) {
  Show(kGet);
  EXPECT_EQ(Expect(Kind::kHead).consumed, kGet.size());
  EXPECT_EQ(Expect(Kind::kComplete).consumed, 0u);
  EXPECT_EQ(Expect(Kind::kNeedMore).consumed, 0u);
}

TEST_F(ParserTest, ABodyComesInThePiecesThatArrive) {
  Show(kPost);
  Expect(Kind::kHead);
  Expect(Kind::kNeedMore);
  Show("ab");
  EXPECT_EQ(Expect(Kind::kBody).body, "ab");
  Expect(Kind::kNeedMore);
  Show("cdGET");
  EXPECT_EQ(Expect(Kind::kBody).body, "cd");
  Expect(Kind::kComplete);
  EXPECT_EQ(rest_, "GET");
}

TEST_F(ParserTest, TheRequestLineOfAHeadInOneInputIsNotCopied) {
  Show(kGet);
  Expect(Kind::kHead);
  EXPECT_EQ(parser_.head().method.data(), kGet.data());
  EXPECT_EQ(parser_.head().target, "/a");
  EXPECT_EQ(parser_.head().field("HOST"), "a");
}

// --- A head like the last one ---

class RepeatedHeadTest : public ParserTest {
 protected:
  // Reads a whole request without a body.
  void Read(absl::string_view bytes) {
    Show(bytes);
    Expect(Kind::kHead);
    Expect(Kind::kComplete);
    EXPECT_EQ(rest_, "");
  }
};

TEST_F(RepeatedHeadTest, HasItsOwnRequestLine) {
  Read("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  Read("DELETE /longer/than/before HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  EXPECT_EQ(parser_.head().method, "DELETE");
  EXPECT_EQ(parser_.head().target, "/longer/than/before");
  ASSERT_EQ(parser_.head().fields.size(), 2u);
  EXPECT_EQ(parser_.head().field("x"), "y");
  EXPECT_TRUE(parser_.head().keep_alive);
}

TEST_F(RepeatedHeadTest, OneOtherByteIsReadAnew) {
  Read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(parser_.head().keep_alive);
  Read("GET / HTTP/1.1\r\nHost: a\r\nConnection: clone\r\n\r\n");
  EXPECT_TRUE(parser_.head().keep_alive);
  EXPECT_EQ(parser_.head().field("connection"), "clone");
}

TEST_F(RepeatedHeadTest, AnotherVersionIsReadAnew) {
  Read("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(parser_.head().keep_alive);
  Read("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(parser_.head().keep_alive);
  Read("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n\r\n"), 400) << "HTTP/1.1 needs a Host";
}

TEST_F(RepeatedHeadTest, HasTheSameBody) {
  for (const char* body : {"abcd", "efgh"}) {
    Show(kPost);
    Expect(Kind::kHead);
    EXPECT_EQ(parser_.head().content_length, 4u);
    Show(body);
    EXPECT_EQ(Expect(Kind::kBody).body, body);
    Expect(Kind::kComplete);
  }
  for (int i = 0; i < 2; ++i) {
    Show("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    Expect(Kind::kHead);
    EXPECT_EQ(Expect(Kind::kBody).body, "x");
    Expect(Kind::kComplete);
  }
}

TEST_F(RepeatedHeadTest, MayHaveOtherValues) {
  Read("GET /a HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nCookie:  a=b \r\nEmpty:\r\nAccept: */*\r\n\r\n");
  Read("GET /b HTTP/1.1\r\nHost: a\r\nX-Id: 23456\r\nCookie:  c\r\nEmpty:\r\nAccept: */*\r\n\r\n");
  ASSERT_EQ(parser_.head().fields.size(), 5u);
  EXPECT_EQ(parser_.head().target, "/b");
  EXPECT_EQ(parser_.head().field("host"), "a");
  EXPECT_EQ(parser_.head().field("x-id"), "23456");
  EXPECT_EQ(parser_.head().field("cookie"), "c");
  EXPECT_EQ(parser_.head().field("empty"), "");
  EXPECT_EQ(parser_.head().field("accept"), "*/*");
  Read(
      "GET /c HTTP/1.1\r\nHost: a\r\nX-Id: 7\r\nCookie:  c\r\nEmpty: x\r\nAccept: "
      "\xc3\xa9\r\n\r\n");
  EXPECT_EQ(parser_.head().field("x-id"), "7");
  EXPECT_EQ(parser_.head().field("empty"), "x");
  EXPECT_EQ(parser_.head().field("accept"), "\xc3\xa9");
}

TEST_F(RepeatedHeadTest, OfOtherValuesNoneIsTakenUnseen) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: 1";
  for (const char* rest :
       {"\x01\r\n\r\n", "\x7f\r\n\r\n", "\r\r\n\r\n", "\n\r\n\r\n", "\r\n folded\r\n\r\n",
        "\r\n\tfolded\r\n\r\n", "\r\nHost: a\r\n\r\n", "\r\nY\r\n\r\n"}) {
    parser_.Reset();
    Read(begin + "\r\n\r\n");
    EXPECT_EQ(StatusOf(begin + "2" + rest), 400) << rest;
  }
}

// Requests that differ in a piece or two, over all that matters for framing: whatever was read before, each is read as
// by a parser that has read nothing.
TEST_F(RepeatedHeadTest, IsReadAsIfItWereTheFirst) {
  static constexpr absl::string_view kPieces[] = {"X: 1\r\n",
                                                  "X: 22\r\n",
                                                  "X:\r\n",
                                                  "X:  3 \r\n",
                                                  "X:\t4\r\n",
                                                  "Host: a\r\n",
                                                  "Host: b\r\n",
                                                  "Host: a b\r\n",
                                                  "Cookie: a=b\r\n",
                                                  "Cookie: c=d; e\r\n",
                                                  "Connection: close\r\n",
                                                  "Connection: keep-alive\r\n",
                                                  "Content-Length: 0\r\n",
                                                  "Content-Length: 00\r\n",
                                                  "Content-Length: x\r\n",
                                                  "Transfer-Encoding: chunked\r\n",
                                                  "Expect: 100-continue\r\n",
                                                  "Expect: x\r\n",
                                                  " folded\r\n",
                                                  "X: \x01\r\n",
                                                  "X: a\rb\r\n",
                                                  "X : y\r\n",
                                                  "Y: z\r\n"};
  static constexpr absl::string_view kLines[] = {"GET / HTTP/1.1\r\n", "GET /a?b HTTP/1.1\r\n",
                                                 "GET / HTTP/1.0\r\n", "GET  / HTTP/1.1\r\n"};
  std::mt19937 random(20261125);
  const auto below = [&random](size_t bound) { return random() % bound; };
  std::vector<absl::string_view> pieces = {kPieces[5], kPieces[0]};
  int alike = 0;
  for (int round = 0; round < 50'000; ++round) {
    const size_t place = below(pieces.size() + 1);
    const absl::string_view piece = kPieces[below(std::size(kPieces))];
    switch (below(4)) {
      case 0:
        if (pieces.size() < 6) pieces.insert(pieces.begin() + static_cast<ptrdiff_t>(place), piece);
        break;
      case 1:
        if (place < pieces.size()) pieces.erase(pieces.begin() + static_cast<ptrdiff_t>(place));
        break;
      default:
        if (place < pieces.size()) pieces[place] = piece;
    }
    std::string head(kLines[below(8) < 5 ? 0 : below(std::size(kLines))]);
    for (const absl::string_view one : pieces) head.append(one.data(), one.size());
    head += "\r\n";
    RequestParser fresh{ParserLimits()};
    const Step expected = fresh.Next(head);
    const Step step = parser_.Next(head);
    ASSERT_EQ(step.kind, expected.kind) << head;
    ASSERT_EQ(step.status, expected.status) << head;
    if (step.kind != Kind::kHead) {
      // A good one comes in again: most of what chance makes is refused.
      parser_.Reset();
      pieces = {kPieces[5], kPieces[below(3)], kPieces[8]};
      continue;
    }
    ++alike;
    ASSERT_EQ(step.consumed, expected.consumed) << head;
    const RequestHead& one = parser_.head();
    const RequestHead& other = fresh.head();
    ASSERT_EQ(one.target, other.target) << head;
    ASSERT_EQ(one.minor_version, other.minor_version) << head;
    ASSERT_EQ(one.content_length, other.content_length) << head;
    ASSERT_EQ(one.chunked, other.chunked) << head;
    ASSERT_EQ(one.keep_alive, other.keep_alive) << head;
    ASSERT_EQ(one.expects_continue, other.expects_continue) << head;
    ASSERT_EQ(one.fields.size(), other.fields.size()) << head;
    for (size_t i = 0; i < one.fields.size(); ++i) {
      ASSERT_EQ(one.fields[i].name, other.fields[i].name) << head;
      ASSERT_EQ(one.fields[i].value, other.fields[i].value) << head;
    }
    Show(one.chunked ? "0\r\n\r\n" : "");
    Expect(Kind::kComplete);
  }
  EXPECT_GT(alike, 5'000);
}

TEST_F(RepeatedHeadTest, CanBeRetained) {
  Read("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string input = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
  Show(input);
  Expect(Kind::kHead);
  parser_.RetainHead();
  input.assign(input.size(), '?');
  EXPECT_EQ(parser_.head().method, "GET");
  EXPECT_EQ(parser_.head().target, "/b");
  EXPECT_EQ(parser_.head().field("host"), "a");
}

TEST_F(RepeatedHeadTest, IsBoundByTheSameLimits) {
  Read("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(StatusOf("GET /" + std::string(8 * 1024, 'a') + rest), 414);
  EXPECT_EQ(StatusOf("GET /\x80\x7f" + rest), 400);
  EXPECT_EQ(StatusOf("GET /\t" + rest), 400);
}

// More lines than a head may have that is taken with other values (field_block.cc), and than are kept for the next one.
TEST_F(RepeatedHeadTest, SeveralHundredFieldsAreTakenEachTime) {
  std::string lines = "Host: a\r\n";
  for (int i = 1; i < 1000; ++i) absl::StrAppend(&lines, "X-", i, ": ", i, "\r\n");
  for (int round = 0; round < 3; ++round) {
    Read("GET /a HTTP/1.1\r\n" + lines + "\r\n");
    EXPECT_EQ(parser_.head().fields.size(), 1000u);
    EXPECT_EQ(parser_.head().field("x-999"), "999");
    if (round == 1) parser_.Reset();
  }
  std::string other = lines;
  other[other.size() - 3] = '8';
  Read("GET /a HTTP/1.1\r\n" + other + "\r\n");
  EXPECT_EQ(parser_.head().field("x-999"), "998");
  EXPECT_EQ(StatusOf("GET /a HTTP/1.1\r\n" + lines + "Y: y\r\n\r\n"), 431);
}

TEST_F(RepeatedHeadTest, ARefusedHeadIsNoPattern) {
  const absl::string_view bad = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
  EXPECT_EQ(StatusOf(bad), 400);
  EXPECT_EQ(StatusOf(bad), 400);
}

TEST_F(ParserTest, ARetainedHeadOutlivesItsInput) {
  auto input = std::make_unique<std::string>(kPost);
  Show(*input);
  Expect(Kind::kHead);
  parser_.RetainHead();
  input->assign(input->size(), '?');
  input.reset();
  parser_.RetainHead();
  EXPECT_EQ(parser_.head().method, "POST");
  EXPECT_EQ(parser_.head().target, "/b");
  EXPECT_EQ(parser_.head().field("host"), "b");
  Show("abcd");
  Expect(Kind::kBody);
  Expect(Kind::kComplete);
  EXPECT_EQ(parser_.head().field("content-length"), "4");
}

TEST_F(ParserTest, AHeadInTwoInputsNeedsNoRetaining) {
  std::string first(kPost.substr(0, 20)), second(kPost.substr(20));
  Show(first);
  Expect(Kind::kNeedMore);
  first.assign(first.size(), '?');
  Show(second);
  EXPECT_EQ(Expect(Kind::kHead).consumed, second.size());
  second.assign(second.size(), '?');
  EXPECT_EQ(parser_.head().target, "/b");
  EXPECT_EQ(parser_.head().field("Host"), "b");
}

TEST_F(ParserTest, RetainingWithoutAHeadDoesNothing) {
  parser_.RetainHead();
  Show(kGet);
  Expect(Kind::kHead);
}

TEST_F(ParserTest, AMessageIsUnderWayFromItsFirstByteToItsCompletion) {
  EXPECT_FALSE(parser_.mid_message());
  Show("\r\n\r");
  Expect(Kind::kNeedMore);
  EXPECT_FALSE(parser_.mid_message()) << "blank lines are no message";
  Show("\nG");
  Expect(Kind::kNeedMore);
  EXPECT_TRUE(parser_.mid_message());
  Show(kGet.substr(1));
  Expect(Kind::kHead);
  EXPECT_TRUE(parser_.mid_message());
  Expect(Kind::kComplete);
  EXPECT_FALSE(parser_.mid_message());
}

TEST_F(ParserTest, EmptyInputsChangeNothing) {
  Expect(Kind::kNeedMore);
  EXPECT_FALSE(parser_.mid_message());
  Show("GET /a HT");
  Expect(Kind::kNeedMore);
  Expect(Kind::kNeedMore);
  Show("TP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  Expect(Kind::kHead);
  Expect(Kind::kNeedMore);
  EXPECT_TRUE(parser_.mid_message());
}

TEST_F(ParserTest, AnErrorStaysUntilReset) {
  Show("GET / HTTP/3.0\r\n");
  EXPECT_EQ(Expect(Kind::kError).status, 505);
  Show(kGet);
  const Step again = Expect(Kind::kError);
  EXPECT_EQ(again.status, 505);
  EXPECT_EQ(again.consumed, 0u);
  EXPECT_FALSE(parser_.mid_message());
  parser_.Reset();
  Expect(Kind::kHead);
}

TEST_F(ParserTest, AnErrorInABodyComesAfterWhatWasGood) {
  Show("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX");
  Expect(Kind::kHead);
  EXPECT_EQ(Expect(Kind::kBody).body, "ab");
  EXPECT_EQ(Expect(Kind::kError).status, 400);
}

TEST_F(ParserTest, ResetForgetsAHalfHeadAndAHalfBody) {
  Show(kGet.substr(0, 9));
  Expect(Kind::kNeedMore);
  parser_.Reset();
  EXPECT_FALSE(parser_.mid_message());
  Show(kPost);
  Expect(Kind::kHead);
  parser_.Reset();
  Show(kGet);
  Expect(Kind::kHead);
  EXPECT_EQ(parser_.head().target, "/a");
}

TEST_F(ParserTest, AMovedParserGoesOn) {
  Show(kPost.substr(0, 30));
  Expect(Kind::kNeedMore);
  RequestParser other(std::move(parser_));
  parser_ = std::move(other);
  Show(kPost.substr(30));
  Expect(Kind::kHead);
  EXPECT_EQ(parser_.head().target, "/b");
}

TEST_F(ParserTest, TheRequestLineIsJudgedBeforeTheRestHasArrived) {
  EXPECT_EQ(StatusOf("GET /\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\n"), 505);
  EXPECT_EQ(StatusOf("CONNECT a:1 HTTP/1.1\r\n"), 501);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\nA: \rb\r\n"), 505) << "and before what follows it";
}

TEST_F(ParserTest, TheDefaultLimitsAreExact) {
  const std::string target(8 * 1024, '/');
  EXPECT_EQ(StatusOf(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: a\r\n\r\n")), 0);
  EXPECT_EQ(StatusOf(absl::StrCat("GET /", target, " HTTP/1.1\r\nHost: a\r\n\r\n")), 414);
  const std::string value(32 * 1024 - kGet.size() - 5, 'x');
  const absl::string_view open = kGet.substr(0, kGet.size() - 2);
  EXPECT_EQ(StatusOf(absl::StrCat(open, "A: ", value, "\r\n\r\n")), 0);
  EXPECT_EQ(StatusOf(absl::StrCat(open, "A: x", value, "\r\n\r\n")), 431);
}

TEST_F(ParserTest, ALargeHeadDoesNotMakeTheNextOneLarger) {
  const std::string large =
      absl::StrCat("GET / HTTP/1.1\r\nHost: a\r\nA: ", std::string(30 * 1024, 'x'), "\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    Show(absl::string_view(large).substr(0, 20000));
    Expect(Kind::kNeedMore);
    Show(absl::string_view(large).substr(20000));
    Expect(Kind::kHead);
    Expect(Kind::kComplete);
    parser_.Reset();
  }
}

TEST_F(ParserTest, TheLargestLengthIsCountedDownNotReserved) {
  Show("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\nabc");
  Expect(Kind::kHead);
  EXPECT_EQ(parser_.head().content_length, 9223372036854775807u);
  EXPECT_EQ(Expect(Kind::kBody).body, "abc");
  Expect(Kind::kNeedMore);
}

TEST(ParserLimitsTest, HoldHoweverSmallTheyAre) {
  const ParserLimits limits = {.target_bytes_max = 4, .head_bytes_max = 64, .fields_max = 2};
  const std::string fits = "GET /abc HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
  const std::string long_target = "GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string many = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n";
  const std::string large = absl::StrCat("GET / HTTP/1.1\r\nHost: a\r\nA: ", std::string(40, 'x'));
  for (size_t cut = 0; cut < 30; ++cut) {
    EXPECT_EQ(TranscriptOfTwo(fits, cut, limits),
              "GET /abc HTTP/1.1, keep-alive\n  Host: a\n  A: b\ncomplete\n");
    EXPECT_EQ(TranscriptOfTwo(long_target, cut, limits), "error 414 target too long\n");
    EXPECT_EQ(TranscriptOfTwo(many, cut, limits), "error 431 too many fields\n");
    EXPECT_EQ(TranscriptOfTwo(large, cut, limits), "error 431 head too large\n");
  }
}

// --- For a gateway ---

class GatewayParserTest : public ParserTest {
 protected:
  GatewayParserTest() {
    ParserLimits limits;
    limits.connect = Connect::kAllowed;
    limits.trailers = Trailers::kKept;
    parser_ = RequestParser(limits);
  }
};

TEST_F(GatewayParserTest, TrailersAreKept) {
  constexpr absl::string_view kChunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
  const std::string bytes =
      absl::StrCat(kChunked, "X-Sum: 1\r\nB:\r\n\r\n", kChunked, "\r\n", kGet);
  Show(bytes);
  Expect(Kind::kHead);
  Expect(Kind::kBody);
  Expect(Kind::kComplete);
  ASSERT_EQ(parser_.trailers().size(), 2u);
  EXPECT_EQ(parser_.trailers()[0].name, "X-Sum");
  EXPECT_EQ(parser_.trailers()[0].value, "1");
  Expect(Kind::kHead);
  Expect(Kind::kBody);
  Expect(Kind::kComplete);
  EXPECT_TRUE(parser_.trailers().empty());
  Expect(Kind::kHead);
  Expect(Kind::kComplete);
  EXPECT_TRUE(parser_.trailers().empty());
}

TEST_F(GatewayParserTest, TrailersAreTheSameHoweverTheyAreCut) {
  const std::string bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n";
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    Kind last = Kind::kNeedMore;
    for (absl::string_view piece :
         {absl::string_view(bytes).substr(0, cut), absl::string_view(bytes).substr(cut)}) {
      do {
        const Step step = parser_.Next(piece);
        last = step.kind;
        piece.remove_prefix(step.consumed);
      } while (last == Kind::kHead);
    }
    ASSERT_EQ(static_cast<int>(last), static_cast<int>(Kind::kComplete)) << cut;
    ASSERT_EQ(parser_.trailers().size(), 1u) << cut;
    EXPECT_EQ(parser_.trailers()[0].value, "1");
  }
}

TEST_F(GatewayParserTest, ConnectHasNoBody) {
  EXPECT_EQ(StatusOf("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400);
  const std::string fields = " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  const std::string both = absl::StrCat("POST /", fields, "abcCONNECT a:1", fields);
  parser_.Reset();
  Show(both);
  Expect(Kind::kHead);
  Expect(Kind::kBody);
  Expect(Kind::kComplete);
  EXPECT_EQ(Expect(Kind::kError).status, 400);
}

}  // namespace
}  // namespace uc::http
