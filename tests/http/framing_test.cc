// What request lines and fields decide, one by one.
#include "core/http/framing.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/http/read_fields.h"
#include "core/http/request_line.h"

namespace uc::http {
namespace {

class FramingTest : public testing::Test {
 protected:
  // The status that the fields deserve (0: none), besides "Host: a".
  int Judge(std::vector<Field> fields, int minor_version = 1) {
    fields.push_back({"Host", "a"});
    fields_ = fields;
    head_ = RequestHead();
    head_.minor_version = minor_version;
    head_.fields = fields_;
    return ReadFraming(&head_).status;
  }

  std::vector<Field> fields_;
  RequestHead head_;
};

TEST_F(FramingTest, LengthsAreDigitsUpTo63Bits) {
  EXPECT_EQ(Judge({{"Content-Length", "9223372036854775807"}}), 0);
  EXPECT_EQ(head_.content_length, 9223372036854775807u);
  for (absl::string_view bad : {"", "9223372036854775808", "99999999999999999999", "+1", "-1", "1 ",
                                "1,1", "0x1", "1e3", "\xb2"}) {
    EXPECT_EQ(Judge({{"Content-Length", bad}}), 400) << bad;
  }
}

TEST_F(FramingTest, TwoStatementsAboutTheLengthAreOneTooMany) {
  EXPECT_EQ(Judge({{"Content-Length", "5"}, {"content-length", "5"}}), 400);
  EXPECT_EQ(Judge({{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}), 400);
  EXPECT_EQ(Judge({{"Transfer-Encoding", "chunked"}, {"Content-Length", "0"}}), 400);
  EXPECT_EQ(Judge({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}), 400);
  EXPECT_EQ(Judge({{"Transfer-Encoding", "chunked"}}, 0), 400) << "HTTP/1.0";
}

TEST_F(FramingTest, OnlyChunkedIsUnderstood) {
  EXPECT_EQ(Judge({{"Transfer-Encoding", "Chunked"}}), 0);
  EXPECT_TRUE(head_.chunked);
  for (absl::string_view unknown :
       {"gzip", "gzip, chunked", "gzip , deflate", "identity", "x;q=1"}) {
    EXPECT_EQ(Judge({{"Transfer-Encoding", unknown}}), 501) << unknown;
  }
  for (absl::string_view bad :
       {"", ",", "chunked,", ",chunked", "chunked, gzip", "chunked, chunked", "chunked chunked",
        "\"chunked\"", "gzip,,chunked"}) {
    EXPECT_EQ(Judge({{"Transfer-Encoding", bad}}), 400) << bad;
  }
}

TEST_F(FramingTest, ConnectionIsAListInAnyNumberOfFields) {
  EXPECT_EQ(Judge({}), 0);
  EXPECT_TRUE(head_.keep_alive);
  Judge({{"Connection", "foo"}, {"CONNECTION", "bar ,\tCLOSE"}});
  EXPECT_FALSE(head_.keep_alive);
  Judge({{"Connection", "close"}, {"Connection", "keep-alive"}});
  EXPECT_FALSE(head_.keep_alive) << "close wins";
  Judge({{"Connection", "closed, enclose"}});
  EXPECT_TRUE(head_.keep_alive);
}

TEST_F(FramingTest, Http10KeepsAliveOnlyWhenAsked) {
  Judge({}, 0);
  EXPECT_FALSE(head_.keep_alive);
  Judge({{"Connection", "x, Keep-Alive"}}, 0);
  EXPECT_TRUE(head_.keep_alive);
}

TEST_F(FramingTest, ExpectIsForHttp11AndForContinueOnly) {
  Judge({{"Expect", "100-Continue"}});
  EXPECT_TRUE(head_.expects_continue);
  Judge({{"Expect", "100-continue"}}, 0);
  EXPECT_FALSE(head_.expects_continue);
  Judge({{"Expect", "100-continued"}});
  EXPECT_FALSE(head_.expects_continue);
}

TEST_F(FramingTest, NothingOfTheLastHeadIsLeft) {
  head_.chunked = head_.expects_continue = true;
  head_.content_length = 5;
  head_.fields = {};
  head_.minor_version = 0;
  EXPECT_FALSE(ReadFraming(&head_));
  EXPECT_FALSE(head_.chunked || head_.expects_continue || head_.content_length.has_value());
}

class ReadFieldsTest : public testing::Test {
 protected:
  // The status that these lines deserve (0: none).
  int Read(absl::string_view lines, size_t fields_max = 100) {
    lines_ = absl::StrCat(lines, "\r\n");
    return ReadFields(lines_, fields_max, &fields_).status;
  }

  std::string lines_;
  std::vector<Field> fields_;
};

TEST_F(ReadFieldsTest, TakesNamesAndValuesApart) {
  ASSERT_EQ(Read("Host: a\r\nX:\r\nY: \t \r\nA-Long-Name-And-More:  b:c d\t \r\n"), 0);
  ASSERT_EQ(fields_.size(), 4u);
  EXPECT_EQ(fields_[0].name, "Host");
  EXPECT_EQ(fields_[0].value, "a");
  EXPECT_EQ(fields_[1].value, "");
  EXPECT_EQ(fields_[2].value, "");
  EXPECT_EQ(fields_[3].name, "A-Long-Name-And-More");
  EXPECT_EQ(fields_[3].value, "b:c d");
  EXPECT_EQ(Read(""), 0);
  EXPECT_TRUE(fields_.empty());
}

// The end of a value is looked for 16 bytes at a time.
TEST_F(ReadFieldsTest, FindsTheEndOfEachValue) {
  for (size_t size = 0; size < 70; ++size) {
    const std::string value(size, 'v');
    ASSERT_EQ(Read(absl::StrCat("A: ", value, "\r\nB:", value, "\r\n")), 0);
    ASSERT_EQ(fields_.size(), 2u);
    EXPECT_EQ(fields_[0].value, value);
    EXPECT_EQ(fields_[1].value, value);
  }
}

TEST_F(ReadFieldsTest, RefusesWhatIsNoField) {
  for (absl::string_view bad :
       {"x\r\n", ":\r\n", ": x\r\n", "a b: c\r\n", "a : c\r\n", "a\t: c\r\n", "A: b\r\nc\r\n",
        "\x80: a\r\n", "(a): b\r\n", "\"a\": b\r\n"}) {
    EXPECT_EQ(Read(bad), 400) << bad;
  }
}

TEST_F(ReadFieldsTest, RefusesMoreFieldsThanAreAllowed) {
  EXPECT_EQ(Read("A: b\r\nC: d\r\n", 2), 0);
  EXPECT_EQ(Read("A: b\r\nC: d\r\nE: f\r\n", 2), 431);
}

TEST_F(ReadFieldsTest, ATabBehindWhatFramesTheBodyIsReadDifferentlyByOthers) {
  EXPECT_EQ(Read("Transfer-Encoding: chunked\t\r\n"), 400);
  EXPECT_EQ(Read("Content-Length: 7\t\r\n"), 400);
  EXPECT_EQ(Read("Accept: text/html\t\r\n"), 0);
}

TEST(RequestLineTest, ViewsFollowTheBytes) {
  RequestLine line;
  EXPECT_FALSE(ReadRequestLine("POST /a?b HTTP/1.0", 100, &line));
  EXPECT_EQ(line.method("POST /a?b HTTP/1.0\r\n"), "POST");
  EXPECT_EQ(line.target("POST /a?b HTTP/1.0\r\n"), "/a?b");
  EXPECT_EQ(line.minor_version, 0);
}

int JudgeLine(absl::string_view line) {
  RequestLine result;
  return ReadRequestLine(line, 100, &result).status;
}

TEST(RequestLineTest, LaterMinorVersionsAreReadAsTheHighestKnown) {
  for (char minor = '1'; minor <= '9'; ++minor) {
    RequestLine line;
    line.minor_version = -1;
    EXPECT_FALSE(ReadRequestLine(absl::StrCat("GET / HTTP/1.", std::string(1, minor)), 100, &line));
    EXPECT_EQ(line.minor_version, 1) << minor;
  }
  for (absl::string_view other : {"HTTP/0.9", "HTTP/2.0", "HTTP/3.1"}) {
    EXPECT_EQ(JudgeLine(absl::StrCat("GET / ", other)), 505) << other;
  }
  for (absl::string_view malformed : {"HTTP/1.10", "HTTP/1.", "HTTP/1.a", "HTTP/1", "HTTP/1.1 "}) {
    EXPECT_EQ(JudgeLine(absl::StrCat("GET / ", malformed)), 400) << malformed;
  }
}

TEST(RequestLineTest, TargetsAreAPathOrAUrl) {
  for (absl::string_view good :
       {"/", "/a?b=c?d", "//a", "/[a]|{b}^`\\\"<>", "http://a", "http://a/", "http://u@a:8/b?c",
        "http://a?b@c", "http://[::1]/", "/\x80", "/\xc3\xa9?\xff", "http://a/\xc3\xa9"}) {
    EXPECT_EQ(JudgeLine(absl::StrCat("GET ", good, " HTTP/1.1")), 0) << good;
  }
  for (absl::string_view bad : {"a",
                                "?a",
                                "http:",
                                "http:/a",
                                "://a",
                                "h2://a",
                                "http://a@b@c",
                                "http://",
                                "http:///a",
                                "http://:80/",
                                "http://a@",
                                "http://a:b/",
                                "http://[]/",
                                "http://a b",
                                "http://a{b",
                                "/\xc3\xa9\x7f",
                                "/\xc3 \xa9",
                                "/\x1b\xc3",
                                "\xc3\xa9",
                                "http://\xc3\xa9/",
                                "/a\tb",
                                "/#",
                                "*",
                                "*a",
                                "*\xc3",
                                ""}) {
    EXPECT_EQ(JudgeLine(absl::StrCat("GET ", bad, " HTTP/1.1")), 400) << bad;
  }
  EXPECT_EQ(JudgeLine("OPTIONS * HTTP/1.1"), 0);
  EXPECT_EQ(JudgeLine("OPTIONS ** HTTP/1.1"), 400);
}

TEST(RequestLineTest, MethodsAreThoseThatOthersKnow) {
  for (absl::string_view known : {"GET", "PROPFIND", "M-SEARCH", "UNSUBSCRIBE", "SOURCE"}) {
    EXPECT_EQ(JudgeLine(absl::StrCat(known, " / HTTP/1.1")), 0) << known;
  }
  for (absl::string_view other : {"get", "GETS", "GE", "FOO", "CONNECT", "PRI"}) {
    EXPECT_EQ(JudgeLine(absl::StrCat(other, " / HTTP/1.1")), 501) << other;
  }
}

TEST(RequestLineTest, ConnectIsForWhoPassesItOnAndHasAHostAndAPort) {
  const auto judge = [](absl::string_view target) {
    RequestLine line;
    return ReadRequestLine(absl::StrCat("CONNECT ", target, " HTTP/1.1"), 100, &line,
                           Connect::kAllowed)
        .status;
  };
  for (absl::string_view good : {"a:443", "192.0.2.1:1", "[::1]:443"})
    EXPECT_EQ(judge(good), 0) << good;
  for (absl::string_view bad :
       {"a", "a:", ":443", "[::1]", "[::1]:", "/", "*", "http://a:1/", "u@a:1", "a:1/b", "a:b"}) {
    EXPECT_EQ(judge(bad), 400) << bad;
  }
}

TEST(RequestLineTest, AnEndlessLineIsJudgedByItsLongestPart) {
  EXPECT_EQ(JudgeEndlessLine("GET /aaaaaaaaaa", 8).status, 414);
  EXPECT_EQ(JudgeEndlessLine("GET /a HTTP/1.1xxxxxxxxxx", 8).status, 431);
  EXPECT_EQ(JudgeEndlessLine("GGGGGGGGGGGGGGGG", 8).status, 400);
}

}  // namespace
}  // namespace uc::http
