// Servers and clients that mean harm, or are broken: what the one does, the other must not suffer.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using worker::Answer;
using worker::Client;
using worker::Ending;

const char kPost[] = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx";
const char kLastPost[] =
    "POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";

std::string Repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

class HostileTest : public FrontStage {
 protected:
  // A request that may not be sent twice has reached the server, which says this and breaks off.
  std::string HeardWhenTheServerSaysAndBreaksOff(std::string_view bytes) {
    Client client = Connect();
    Peer peer = Ask(client, kLastPost);
    EXPECT_TRUE(peer.Say(bytes));
    peer.Reset();
    return client.HearAll();
  }
  // The worker lives, and the next client is served by a good server.
  void OthersAreServed() {
    Client client = Connect();
    ASSERT_TRUE(client.Say(kPost));
    Peer peer = server_.Accept();
    ASSERT_THAT(peer.HearHead(), StartsWith("POST / "));
    ASSERT_EQ(peer.HearBytes(1), "x");
    ASSERT_TRUE(peer.Say(kHello));
    EXPECT_EQ(client.Hear().body, "hello");
  }
};

// --- Servers ---

TEST_F(HostileTest, AnAnswerThatIsBrokenOffAtAnyByteIsNeverAWholeOne) {
  RaiseFront();
  const std::pair<std::string, std::string> answers[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"}};
  for (const auto& [head, body] : answers) {
    const std::string all = head + body;
    for (size_t cut = 0; cut < all.size(); ++cut) {
      const std::string heard = HeardWhenTheServerSaysAndBreaksOff(all.substr(0, cut));
      if (cut < head.size()) {
        ASSERT_THAT(heard, StartsWith("HTTP/1.1 502 ")) << cut;
        continue;
      }
      // What has come of the body may be lost with it, never be more, and never be its end.
      ASSERT_THAT(heard, StartsWith("HTTP/1.1 200 ")) << cut;
      ASSERT_FALSE(absl::EndsWith(heard, "\r\n\r\nhello")) << cut;
      ASSERT_FALSE(absl::StrContains(heard, "0\r\n")) << cut;
    }
  }
  OthersAreServed();
}

TEST_F(HostileTest, AnAnswerShorterThanItsLengthIsCut) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kPost);
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"));
  peer.EndSending();
  EXPECT_TRUE(absl::EndsWith(client.HearAll(), "\r\n\r\nhello"));
  OthersAreServed();
}

class GarbageTest : public HostileTest, public testing::WithParamInterface<std::string> {};

TEST_P(GarbageTest, IsABadGatewayAndCostsNobodyElse) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kPost);
  peer.SayWhatFits(GetParam());
  EXPECT_EQ(client.Hear().status, 502);
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
  OthersAreServed();
}

INSTANTIATE_TEST_SUITE_P(
    Answers, GarbageTest,
    testing::Values(
        "hello", std::string("\x16\x03\x03\x00\x7a\x02\x00\x00\x76", 9),
        std::string("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 25),
        absl::StrCat("HTTP/1.1 200 OK\r\nA: ", std::string(200'000, 'a')),
        absl::StrCat("HTTP/1.1 200 OK\r\n", Repeated("A: b\r\n", 30'000)),
        absl::StrCat("HTTP/1.1 200 ", std::string(200'000, 'a')), std::string(200'000, 'H'),
        "HTTP/1.1 99 No\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"));

class BrokenBodyTest : public HostileTest, public testing::WithParamInterface<std::string> {};

TEST_P(BrokenBodyTest, CutsTheAnswerAndCostsNobodyElse) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kPost);
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
  const std::string head = client.HearHead();
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 "));
  peer.SayWhatFits(GetParam());
  EXPECT_EQ(client.HearAll(), "5\r\nhello\r\n");
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
  OthersAreServed();
}

INSTANTIATE_TEST_SUITE_P(Chunks, BrokenBodyTest,
                         testing::Values("g\r\n", "fffffffffffffffff\r\n", "-5\r\nhello\r\n",
                                         " 5\r\nhello\r\n", "\r\n", "5\nhello\r\n",
                                         "0\r\n : x\r\n\r\n", "0\r\nA\r\n\r\n",
                                         absl::StrCat("0\r\nA: ", std::string(200'000, 'a')),
                                         absl::StrCat("0\r\n", Repeated("A: b\r\n", 30'000)),
                                         absl::StrCat("1;", std::string(200'000, 'x'))));

TEST_F(HostileTest, WhatComesAMomentBehindAnAnswerIsNobodysAnswer) {
  RaiseFront();
  Client client = Connect();
  Peer peer = ServeOnce(client);
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"));
  OthersAreServed();
}

TEST_F(HostileTest, ABodyWhereThereIsNoneIsNobodysAnswer) {
  RaiseFront();
  const std::pair<std::string, std::string> bodiless[] = {
      {"HEAD / HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n"},
      {kGet, "HTTP/1.1 204 No Content\r\n\r\n"},
      {kGet, "HTTP/1.1 304 Not Modified\r\nContent-Length: 51\r\n\r\n"}};
  for (const auto& [request, head] : bodiless) {
    Client client = Connect();
    Peer peer = Ask(client, request);
    ASSERT_TRUE(peer.Say(absl::StrCat(head, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")));
    EXPECT_THAT(client.HearHead(), StartsWith(head.substr(0, 12)));
    EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
    ASSERT_TRUE(client.Say(kGet));
    Peer next = server_.Accept();
    next.HearHead();
    ASSERT_TRUE(next.Say(kHello));
    EXPECT_EQ(client.Hear().body, "hello") << head;
  }
}

TEST_F(HostileTest, LargeInterimAnswersAreBoundedThoughNobodyReadsThem) {
  const std::string hint =
      absl::StrCat("HTTP/1.1 103 Early Hints\r\nLink: ", std::string(20'000, 'l'), "\r\n\r\n");
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kPost);
  peer.SayWhatFits(Repeated(hint, 20));
  int status = 103, heads = 0;
  for (; status == 103 && heads < 20; ++heads) status = client.Hear().status;
  EXPECT_EQ(status, 502);
  EXPECT_LT(heads, 10);
  OthersAreServed();
}

TEST_F(HostileTest, AnEarlyAnswerLeavesNoRestOfARequestBehind) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\nabc");
  ASSERT_TRUE(peer.Say(kHello));  // and would take another request
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
  OthersAreServed();
}

// --- Clients ---

class SmuggledTest : public HostileTest, public testing::WithParamInterface<std::string> {};

TEST_P(SmuggledTest, ARequestThatTwoReadersMightReadDifferentlyReachesNoServer) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(GetParam()));
  EXPECT_THAT(client.Hear().status, AnyOf(400, 501));
  EXPECT_NE(client.AwaitEnd(), Ending::kOpen);
  EXPECT_TRUE(server_.Alone());
}

constexpr char kSmuggled[] = "GET /admin HTTP/1.1\r\nHost: t\r\n\r\n";

std::string WithFields(std::string_view fields) {
  return absl::StrCat("POST / HTTP/1.1\r\nHost: t\r\n",
                      absl::string_view(fields.data(), fields.size()), "\r\n\r\n0\r\n\r\n",
                      kSmuggled);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, SmuggledTest,
    testing::Values(WithFields("Content-Length: 5\r\nTransfer-Encoding: chunked"),
                    WithFields("Transfer-Encoding: chunked\r\nContent-Length: 5"),
                    WithFields("Content-Length: 5\r\nContent-Length: 39"),
                    WithFields("Content-Length: 5\r\nContent-Length: 5"),
                    WithFields("Content-Length: 5, 5"), WithFields("Content-Length: +5"),
                    WithFields("Content-Length: 5\r\n Transfer-Encoding: chunked"),
                    WithFields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
                    WithFields("Transfer-Encoding: identity, chunked"),
                    WithFields("Transfer-Encoding: chunked, identity"),
                    WithFields("Transfer-Encoding: xchunked"),
                    WithFields("Transfer-Encoding : chunked"),
                    WithFields("Transfer-Encoding: \x0b"
                               "chunked"),
                    WithFields("X: y\nTransfer-Encoding: chunked"),
                    WithFields("X: y\rTransfer-Encoding: chunked"),
                    absl::StrCat("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                 kSmuggled),
                    absl::StrCat("GET / HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n", kSmuggled)));

TEST_F(HostileTest, ALengthBySomeOtherNameIsNotPassedOn) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(
      client.Say("GET / HTTP/1.1\r\nHost: t\r\nContent_Length: 35\r\n"
                 "TRANSFER_ENCODING: chunked\r\nX_Other: 1\r\n\r\n"));
  Peer peer = server_.Accept();
  const std::string head = peer.HearHead();
  EXPECT_THAT(head, Not(HasSubstr("ength")));
  EXPECT_THAT(head, Not(HasSubstr("ENCODING")));
  EXPECT_THAT(head, HasSubstr("X_Other: 1"));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(HostileTest, ChunksReachTheServerWithoutExtensionsAndTrailers) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client,
                  "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "00003;a=b\r\nabc\r\n0;x\r\nContent-Length: 9\r\nX-Forwarded-For: 1\r\n\r\n");
  EXPECT_EQ(peer.HearBytes(13), "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_TRUE(peer.Silent());
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(HostileTest, AnUploadThatIsBrokenOffIsNoWholeRequestForTheServer) {
  RaiseFront();
  for (const std::string_view framing :
       {"Content-Length: 900000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"}) {
    for (const bool reset : {false, true}) {
      Client client = Connect();
      Peer peer = Ask(client, absl::StrCat("POST / HTTP/1.1\r\nHost: t\r\n",
                                           absl::string_view(framing.data(), framing.size())));
      if (reset) {
        client.Reset();
      } else {
        client.EndSending();
      }
      const std::string heard = peer.HearAll();
      EXPECT_FALSE(absl::StrContains(heard, "0\r\n\r\n")) << heard;
    }
  }
  OthersAreServed();
}

TEST_F(HostileTest, AHeadThatDoesNotEndTakesNoConnectionOfTheServer) {
  RaiseFront();
  std::vector<Client> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(Connect());
    ASSERT_TRUE(slow.back().Say("GET / HTTP/1.1\r\nHost: t\r\nX: "));
  }
  ASSERT_TRUE(Reaches(row().counters.accepted, 50));
  EXPECT_TRUE(server_.Alone());
  OthersAreServed();
}

}  // namespace
}  // namespace uc::front
