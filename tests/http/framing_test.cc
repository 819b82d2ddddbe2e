// What our own reading of the fields decides, also where llhttp would have refused before.
#include "core/http/framing.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

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

TEST(ReadFieldsTest, RefusesALineThatIsNoField) {
  std::vector<Field> fields;
  SecondOpinion opinion;
  const absl::string_view head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_FALSE(ReadFields(head, 3, 100, &fields, &opinion));
  EXPECT_EQ(ReadFields(head, 4, 100, &fields, &opinion).status, 400) << "the scan saw more lines";
  EXPECT_EQ(ReadFields(head, 3, 0, &fields, &opinion).status, 431);
}

TEST(ReadFieldsTest, HasLlhttpsOpinionAboutTheBody) {
  std::vector<Field> fields;
  SecondOpinion opinion;
  EXPECT_FALSE(
      ReadFields("PUT / HTTP/1.1\r\nContent-Length: 7\r\n\r\n", 3, 100, &fields, &opinion));
  EXPECT_EQ(opinion.content_length, 7u);
  EXPECT_FALSE(opinion.chunked);
  EXPECT_FALSE(
      ReadFields("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 3, 9, &fields, &opinion));
  EXPECT_EQ(opinion.content_length, std::nullopt);
  EXPECT_TRUE(opinion.chunked);
}

TEST(RequestLineTest, ViewsFollowTheBytes) {
  RequestLine line;
  EXPECT_FALSE(ReadRequestLine("POST /a?b HTTP/1.0", 100, &line));
  EXPECT_EQ(line.method("POST /a?b HTTP/1.0\r\n"), "POST");
  EXPECT_EQ(line.target("POST /a?b HTTP/1.0\r\n"), "/a?b");
  EXPECT_EQ(line.minor_version, 0);
}

TEST(RequestLineTest, AnEndlessLineIsJudgedByItsLongestPart) {
  EXPECT_EQ(JudgeEndlessLine("GET /aaaaaaaaaa", 8).status, 414);
  EXPECT_EQ(JudgeEndlessLine("GET /a HTTP/1.1xxxxxxxxxx", 8).status, 431);
  EXPECT_EQ(JudgeEndlessLine("GGGGGGGGGGGGGGGG", 8).status, 400);
}

}  // namespace
}  // namespace uc::http
