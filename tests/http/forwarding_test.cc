// Forwarding: what passes through a gateway, what ends there, and what it adds.
#include "core/http/forwarding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/http/framing.h"
#include "core/http/parser.h"
#include "core/http/response_parser.h"

namespace uc::http {
namespace {

std::string Forwarded(const std::string& request, ForwardedClient client = {}) {
  ParserLimits limits;
  limits.connect = Connect::kAllowed;
  RequestParser parser{limits};
  EXPECT_EQ(parser.Next(request).kind, Step::Kind::kHead) << request;
  if (client.address.empty()) client.address = "192.0.2.1";
  client.proto = "http";
  client.default_host = "127.0.0.1:80";
  std::string out;
  AppendForwardedRequest(parser.head(), client, &out);
  return out;
}

constexpr char kToldOfA[] =
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
    "Forwarded: for=192.0.2.1;host=a;proto=http\r\n\r\n";

TEST(ForwardedRequestTest, PassesWhatItWasSentInItsOrder) {
  EXPECT_EQ(Forwarded("GET /x?y HTTP/1.1\r\nHost: a\r\nCookie: c\r\nX_Y: z\r\nCOOKIE: d\r\n\r\n"),
            std::string("GET /x?y HTTP/1.1\r\nHost: a\r\nCookie: c\r\nX_Y: z\r\nCOOKIE: d\r\n") +
                kToldOfA);
}

TEST(ForwardedRequestTest, EndsWhatIsAboutOneConnection) {
  EXPECT_EQ(
      Forwarded("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-one, Close\r\nKeep-Alive: 5\r\n"
                "Proxy-Connection: k\r\nTE: gzip\r\nUpgrade: x\r\nX-One: 1\r\nX-Two: 2\r\n\r\n"),
      std::string("GET / HTTP/1.1\r\nHost: a\r\nX-Two: 2\r\n") + kToldOfA);
}

TEST(ForwardedRequestTest, AConnectionFieldCannotTakeAwayWhatMatters) {
  EXPECT_EQ(
      Forwarded("POST / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nContent-Length: 3\r\n"
                "Connection: host, cookie, content-length, x-forwarded-for\r\n\r\n"),
      std::string("POST / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nContent-Length: 3\r\n") + kToldOfA);
}

TEST(ForwardedRequestTest, KeepsTheFraming) {
  EXPECT_EQ(Forwarded("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n") + kToldOfA);
}

TEST(ForwardedRequestTest, PassesTheExpectationOfAnAnswerToTheHead) {
  EXPECT_EQ(
      Forwarded("POST / HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"),
      std::string("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n") +
          kToldOfA);
}

TEST(ForwardedRequestTest, PassesNoOtherExpectation) {
  for (const char* request : {"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
                              "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"}) {
    EXPECT_EQ(Forwarded(request), std::string("GET / HTTP/1.1\r\nHost: a\r\n") + kToldOfA);
  }
}

TEST(ForwardedRequestTest, TheHostOfAnAbsoluteTargetIsTheRequests) {
  for (const char* line :
       {"GET http://a/x?y HTTP/1.1\r\nHost: b\r\n", "GET HTTP://u@a/x?y HTTP/1.1\r\nHost: a\r\n",
        "GET http://a/x?y HTTP/1.0\r\n"}) {
    EXPECT_EQ(Forwarded(std::string(line) + "Cookie: c\r\n\r\n"),
              std::string("GET /x?y HTTP/1.1\r\nHost: a\r\nCookie: c\r\n") + kToldOfA)
        << line;
  }
}

TEST(ForwardedRequestTest, ATunnelGoesWhereItsTargetSays) {
  EXPECT_EQ(Forwarded("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n"),
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nX-Forwarded-For: 192.0.2.1\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a:443\r\n"
            "Forwarded: for=192.0.2.1;host=\"a:443\";proto=http\r\n\r\n");
}

TEST(ForwardedRequestTest, PassesAnUpgradeThatIsAskedFor) {
  EXPECT_EQ(
      Forwarded("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                "Connection: keep-alive, Upgrade\r\n\r\n"),
      std::string("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n") +
          kToldOfA);
}

TEST(ForwardedRequestTest, PassesNoUpgradeToAnotherVersionOfHttp) {
  for (const char* upgrade :
       {"h2c", "H2C", "h2", "h2c-14", "HTTP/2.0", "HTTP-draft-06/2.0", " h2c , HTTP/3", ""}) {
    EXPECT_EQ(Forwarded(std::string(
                            "GET / HTTP/1.1\r\nHost: a\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: ") +
                        upgrade + "\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"),
              std::string("GET / HTTP/1.1\r\nHost: a\r\n") + kToldOfA)
        << upgrade;
  }
}

TEST(ForwardedRequestTest, OfAnUpgradeWithSeveralOffersTheOthersPass) {
  EXPECT_EQ(
      Forwarded("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, websocket\r\nUpgrade: TLS/1.0,h2c\r\n"
                "Connection: Upgrade\r\n\r\n"),
      std::string(
          "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket, TLS/1.0\r\nConnection: Upgrade\r\n") +
          kToldOfA);
}

TEST(ForwardedRequestTest, PassesTheWishForTrailers) {
  for (const char* te : {"trailers", "gzip, Trailers", "trailers,deflate;q=0.5"}) {
    EXPECT_EQ(Forwarded(std::string("GET / HTTP/1.1\r\nHost: a\r\nTE: ") + te + "\r\n\r\n"),
              std::string("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n") + kToldOfA);
  }
}

TEST(ForwardedRequestTest, GivesAnOldRequestAHost) {
  EXPECT_EQ(Forwarded("GET / HTTP/1.0\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-Forwarded-For: 192.0.2.1\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Host: 127.0.0.1:80\r\n"
            "Forwarded: for=192.0.2.1;host=\"127.0.0.1:80\";proto=http\r\n\r\n");
}

constexpr char kForged[] =
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.2\r\n"
    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nForwarded: for=10.0.0.3\r\n\r\n";

TEST(ForwardedRequestTest, ReplacesWhatAClientSaysOfItself) {
  EXPECT_EQ(Forwarded(kForged), std::string("GET / HTTP/1.1\r\nHost: a\r\n") + kToldOfA);
}

TEST(ForwardedRequestTest, AppendsToWhatAProxySays) {
  EXPECT_EQ(Forwarded(kForged, {.trust = ForwardedClient::Trust::kAppend, .address = "::1"}),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, ::1\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n"
            "Forwarded: for=10.0.0.3, for=\"[::1]\";host=a;proto=http\r\n\r\n");
}

TEST(ForwardedRequestTest, AProxyThatDoesNotSpeakOfForwardedIsNotContradictedThere) {
  const ForwardedClient proxy = {.trust = ForwardedClient::Trust::kAppend};
  EXPECT_EQ(Forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "
                      "10.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n",
                      proxy),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1, "
            "192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Host: a\r\n\r\n");
  EXPECT_EQ(Forwarded("GET / HTTP/1.1\r\nHost: a\r\n\r\n", proxy),
            std::string("GET / HTTP/1.1\r\nHost: a\r\n") + kToldOfA);
}

class ForwardedResponseTest : public testing::Test {
 protected:
  const ResponseMessage& Read(const std::string& text) {
    bytes_ = text;
    EXPECT_EQ(parser_.Next(bytes_).kind, Step::Kind::kHead);
    return parser_.head();
  }
  std::string bytes_;
  ResponseParser parser_{ParserLimits()};
};

TEST_F(ForwardedResponseTest, PassesStatusReasonAndFields) {
  std::string out;
  AppendForwardedResponse(Read("HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: d\r\n"
                               "Content-Length: 3\r\nConnection: x, close\r\nX: y\r\n"
                               "Keep-Alive: timeout=5\r\n\r\n"),
                          {.content_length = 3, .date = "now"}, &out);
  EXPECT_EQ(out,
            "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: d\r\n"
            "Content-Length: 3\r\n\r\n");
}

TEST_F(ForwardedResponseTest, DatesWhatHasNoDate) {
  std::string out;
  AppendForwardedResponse(
      Read("HTTP/1.0 404 Not Found\r\n\r\n"),
      {.framing = BodyFraming::kChunked, .connection = ConnectionField::kClose, .date = "now"},
      &out);
  EXPECT_EQ(out,
            "HTTP/1.1 404 Not Found\r\nDate: now\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n");
}

TEST_F(ForwardedResponseTest, LeavesAnUpgradeAsItIs) {
  std::string out;
  AppendUpgradeResponse(Read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
                        &out);
  EXPECT_EQ(out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: x\r\n\r\n");
}

TEST_F(ForwardedResponseTest, PassesAnInterimHead) {
  std::string out;
  AppendInterimResponse(Read("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), &out);
  EXPECT_EQ(out, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

TEST(TrailersTest, OnlyHarmlessOnesPass) {
  const Field fields[] = {{"X-Sum", "7"},     {"Content-Length", "3"}, {"Transfer-Encoding", "x"},
                          {"Host", "b"},      {"Connection", "close"}, {"Grpc-Status", "0"},
                          {"Set-Cookie", "a"}};
  std::string out;
  AppendLastChunk(fields, &out);
  EXPECT_EQ(out, "0\r\nX-Sum: 7\r\nGrpc-Status: 0\r\n\r\n");
}

}  // namespace
}  // namespace uc::http
