// Requests and responses on their way through a front.
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using worker::Answer;
using worker::Client;
using worker::Ending;

class MessageTest : public FrontStage {
 protected:
  // Asks with `request` and answers with `response`; what the client then hears.
  Answer Exchanged(std::string_view request, std::string_view response,
                   Client::Body body = Client::Body::kPresent) {
    RaiseFront();
    Client client = Connect();
    EXPECT_TRUE(client.Say(request));
    Peer peer = server_.Accept();
    EXPECT_NE(peer.HearHead(), "");
    EXPECT_TRUE(peer.Say(response));
    return client.Hear(body);
  }
};

TEST_F(MessageTest, ARequestGoesToTheServerAndItsAnswerComesBack) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  const std::string head = peer.HearHead();
  EXPECT_THAT(head, StartsWith("GET /a?b HTTP/1.1\r\nHost: test\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Proto: http\r\n"));
  ASSERT_TRUE(
      peer.Say("HTTP/1.1 404 Not Here\r\nX-Own: 1\r\nContent-Length: 5\r\nKeep-Alive: timeout=5"
               "\r\n\r\nhello"));
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.fields["x-own"], "1");
  EXPECT_EQ(answer.fields.count("keep-alive"), 0u);
  EXPECT_EQ(answer.fields["date"].size(), 29u);
}

TEST_F(MessageTest, OneConnectionToTheServerCarriesTheRequestsOfManyClients) {
  RaiseFront();
  Client first = Connect();
  ASSERT_TRUE(first.Say(kGet));
  Peer peer = server_.Accept();
  ASSERT_NE(peer.HearHead(), "");
  ASSERT_TRUE(peer.Say(kHello));
  ASSERT_EQ(first.Hear().body, "hello");
  for (int i = 0; i < 20; ++i) {
    Client other = Connect();
    for (Client* client : {&first, &other}) {
      ASSERT_TRUE(client->Say(kGet));
      ASSERT_NE(peer.HearHead(), "");
      ASSERT_TRUE(peer.Say(kHello));
      ASSERT_EQ(client->Hear().body, "hello");
    }
  }
  EXPECT_TRUE(server_.Alone());
}

TEST_F(MessageTest, PipelinedRequestsReachTheServerOneByOne) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(
      absl::StrCat("GET /1 HTTP/1.1\r\nHost: t\r\n\r\n", "GET /2 HTTP/1.1\r\nHost: t\r\n\r\n")));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /1 "));
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"));
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /2 "));
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"));
  EXPECT_EQ(client.Hear().body, "1");
  EXPECT_EQ(client.Hear().body, "2");
}

TEST_F(MessageTest, AnAnswerCutAtEveryByteIsTheSameAnswer) {
  RaiseFront();
  Client client = Connect();
  const std::string response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  std::optional<Peer> peer;
  for (size_t cut = 0; cut <= response.size(); ++cut) {
    ASSERT_TRUE(client.Say(kGet));
    if (!peer.has_value()) peer.emplace(server_.Accept());
    ASSERT_NE(peer->HearHead(), "") << cut;
    ASSERT_TRUE(peer->Say(response.substr(0, cut)));
    ASSERT_TRUE(peer->Say(response.substr(cut)));
    ASSERT_EQ(client.Hear().body, "abcde") << cut;
  }
}

TEST_F(MessageTest, ABodyWithALengthReachesTheServer) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100005\r\n\r\nhello"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nContent-Length: 100005\r\n"));
  EXPECT_EQ(peer.HearBytes(5), "hello");  // as it comes
  const std::string rest(100'000, 'b');
  ASSERT_TRUE(client.Say(rest));
  EXPECT_EQ(peer.HearBytes(rest.size()), rest);
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

class CollectedTest : public MessageTest {
 protected:
  // A part of a small body has come.
  void BeginUpload(Client& client) {
    const uint64_t taken = Totals().bytes_in;
    const std::string part = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhello";
    ASSERT_TRUE(client.Say(part));
    ASSERT_TRUE(Reaches(row().counters.bytes_in, taken + part.size()));
  }
};

TEST_F(CollectedTest, ASmallBodyReachesTheServerWhenItIsWhole) {
  RaiseFront();
  Client client = Connect();
  BeginUpload(client);
  EXPECT_TRUE(server_.Alone());
  ASSERT_TRUE(client.Say("world"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nContent-Length: 10\r\n"));
  EXPECT_EQ(peer.HearBytes(10), "helloworld");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
  ASSERT_TRUE(client.Say("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_NE(peer.HearHead(), "");
  EXPECT_EQ(peer.HearBytes(3), "abc") << "all in one piece, on the same connection";
}

TEST_F(CollectedTest, SlowUploadsTakeNoPlaceOfTheServer) {
  in_flight_max_ = 1;
  RaiseFront();
  Client slow = Connect();
  BeginUpload(slow);
  Client client = Connect();
  Peer peer = ServeOnce(client);
  ASSERT_TRUE(slow.Say("world"));
  EXPECT_NE(peer.HearHead(), "");
  EXPECT_EQ(peer.HearBytes(10), "helloworld");
}

TEST_F(CollectedTest, ABodyWaitsForAPlaceWithItsRequest) {
  in_flight_max_ = 1;
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  Client other = Connect();
  BeginUpload(other);
  ASSERT_TRUE(other.Say("world"));
  ASSERT_TRUE(ReachesInFlight(2));
  EXPECT_TRUE(peer.Silent());
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_NE(peer.HearHead(), "");
  EXPECT_EQ(peer.HearBytes(10), "helloworld");
}

TEST_F(CollectedTest, AClientThatLeavesBeforeItsBodyIsWholeAsksForNothing) {
  RaiseFront();
  for (const bool reset : {false, true}) {
    Client client = Connect();
    BeginUpload(client);
    if (reset) {
      client.Reset();
    } else {
      client.EndSending();
      EXPECT_NE(client.AwaitEnd(), Ending::kOpen);
    }
    EXPECT_TRUE(ReachesInFlight(0));
  }
  EXPECT_TRUE(server_.Alone());
}

TEST_F(CollectedTest, ASmallUploadThatStopsIs408AndTheServerHearsNothing) {
  options_.body_timeout = absl::Milliseconds(300);
  RaiseFront();
  Client client = Connect();
  BeginUpload(client);
  EXPECT_EQ(client.Hear().status, 408);
  EXPECT_TRUE(server_.Alone());
}

TEST_F(MessageTest, AChunkedBodyReachesTheServerInChunks) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(
      client.Say("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_EQ(peer.HearBytes(8), "3\r\nabc\r\n");
  ASSERT_TRUE(client.Say("0\r\n\r\n"));
  EXPECT_EQ(peer.HearBytes(5), "0\r\n\r\n");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, TrailersOfARequestPass) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(
      client.Say("POST / HTTP/1.1\r\nHost: t\r\nTrailer: X-Sum\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n1\r\na\r\n0\r\n"
                 "X-Sum: 1\r\nContent-Length: 9\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nTrailer: X-Sum\r\n"));
  EXPECT_EQ(peer.HearHead(), "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, AnAbsoluteTargetIsAHostAndAPathForTheServer) {
  RaiseFront();
  Client client = Connect();
  Peer peer = ServeOnce(client);
  ASSERT_TRUE(client.Say("GET http://real.example/x?y HTTP/1.1\r\nHost: other\r\n\r\n"));
  const std::string head = peer.HearHead();
  EXPECT_THAT(head, StartsWith("GET /x?y HTTP/1.1\r\nHost: real.example\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("other")));
  EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Host: real.example\r\n"));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
  ASSERT_TRUE(client.Say("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_THAT(peer.HearHead(), StartsWith("OPTIONS * HTTP/1.1\r\nHost: t\r\n"));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, WhatAProxyOfOursSaysOfItsClientIsKept) {
  options_.trusted_proxies = net::Networks::Parse({"127.0.0.0/8"}).value();
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(
      client.Say("GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.9\r\n"
                 "X-Forwarded-Proto: https\r\n\r\n"));
  Peer peer = server_.Accept();
  const std::string head = peer.HearHead();
  EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-For: 192.0.2.9, 127.0.0.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Proto: https\r\n"));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, WhatAnybodyElseSaysOfItselfIsNot) {
  options_.trusted_proxies = net::Networks::Parse({"10.0.0.0/8", "::1"}).value();
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say("GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, EarlyHintsPass) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
  Answer hints = client.Hear();
  EXPECT_EQ(hints.status, 103);
  EXPECT_EQ(hints.fields["link"], "</a>");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, InterimAnswersWithoutAnEndAre502) {
  std::string hints;
  for (int i = 0; i < 100; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say(hints));
  int status = 103;
  for (int heads = 0; status == 103 && heads < 100; ++heads) status = client.Hear().status;
  EXPECT_EQ(status, 502);
}

TEST_F(MessageTest, TheAnswerToHeadHasALengthAndNoBody) {
  Answer answer =
      Exchanged("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", Client::Body::kHeadOnly);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields["content-length"], "77");
}

TEST_F(MessageTest, AfterAnAnswerToHeadTheConnectionGoesOn) {
  RaiseFront();
  Client client = Connect();
  std::optional<Peer> peer;
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"}) {
    ASSERT_TRUE(client.Say("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n"));
    if (!peer.has_value()) peer.emplace(server_.Accept());
    ASSERT_THAT(peer->HearHead(), StartsWith("HEAD / ")) << answer;
    ASSERT_TRUE(peer->Say(answer));
    EXPECT_NE(client.Hear(Client::Body::kHeadOnly).status, 0) << answer;
  }
}

TEST_F(MessageTest, NotModifiedHasALengthAndNoBody) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  ASSERT_TRUE(peer.Say("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 7\r\n\r\n"));
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.fields["content-length"], "7");
  EXPECT_EQ(answer.fields["etag"], "\"a\"");
  ASSERT_TRUE(client.Say(kGet));
  ASSERT_NE(peer.HearHead(), "");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, NoContentHasNoLength) {
  Answer answer = Exchanged(kGet, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.fields["content-length"], "");
  EXPECT_EQ(answer.fields["transfer-encoding"], "");
}

TEST_F(MessageTest, TrailersPass) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(
      peer.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n"
               "Content-Length: 9\r\n\r\n"));
  EXPECT_THAT(client.HearHead(), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_EQ(client.HearHead(), "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
}

TEST_F(MessageTest, AnAnswerUntilTheCloseIsChunkedForTheClient) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say("HTTP/1.0 200 OK\r\n\r\nhello"));
  peer.EndSending();
  Answer answer = client.Hear();
  EXPECT_EQ(answer.fields["transfer-encoding"], "chunked");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.fields.count("connection"), 0u);  // the client's one is kept
}

TEST_F(MessageTest, AnOldClientGetsAChunkedAnswerUntilTheClose) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say("GET / HTTP/1.0\r\n\r\n"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nHost: "));
  ASSERT_TRUE(
      peer.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
  const std::string all = client.HearAll();
  EXPECT_THAT(all, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(absl::EndsWith(all, "\r\n\r\nhello")) << all;
}

TEST_F(MessageTest, AnOldClientThatAsksForItIsKept) {
  RaiseFront();
  Client client = Connect();
  std::optional<Peer> peer;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    if (!peer.has_value()) peer.emplace(server_.Accept());
    ASSERT_NE(peer->HearHead(), "");
    ASSERT_TRUE(peer->Say(kHello));
    Answer answer = client.Hear();
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.fields["connection"], "keep-alive");
  }
}

TEST_F(MessageTest, AnOldClientGetsNoTrailersAndNoInterimAnswers) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, "GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(peer.Say(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
  const std::string all = client.HearAll();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(absl::EndsWith(all, "\r\n\r\nhello")) << all;
}

TEST_F(MessageTest, AnAnswerUntilTheClosePassesAsItComes) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\n\r\nhello"));
  EXPECT_NE(client.HearHead(), "");
  EXPECT_EQ(client.HearBytes(10), "5\r\nhello\r\n");
  peer.EndSending();
  EXPECT_EQ(client.HearBytes(5), "0\r\n\r\n");
}

class AmbiguousTest : public MessageTest, public testing::WithParamInterface<const char*> {};

TEST_P(AmbiguousTest, AnAnswerThatTwoReadersMightReadDifferentlyIs502) {
  EXPECT_EQ(Exchanged(kGet, GetParam()).status, 502);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, AmbiguousTest,
    testing::Values("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
                    "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n",
                    "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));

TEST_F(MessageTest, WhatStandsBehindAnAnswerIsNobodysAnswer) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say(absl::StrCat(kHello, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
  ASSERT_TRUE(client.Say(kGet));
  Peer next = server_.Accept();
  next.HearHead();
  ASSERT_TRUE(next.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(MessageTest, ACutAnswerIsCut) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  {
    Peer peer = server_.Accept();
    peer.HearHead();
    ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
  }
  const std::string all = client.HearAll();
  EXPECT_TRUE(absl::EndsWith(all, "5\r\nhello\r\n")) << all;  // no last chunk
}

TEST_F(MessageTest, AnAnswerBeforeTheEndOfTheBodyIsHeard) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n"));
  {
    Peer peer = server_.Accept();
    peer.HearHead();
    ASSERT_TRUE(peer.Say("HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n"));
  }
  EXPECT_EQ(client.Hear().status, 413);
}

TEST_F(MessageTest, WhoDoesNotReadStopsWhoWrites) {
  RaiseFront();
  Client client = Connect({.receive_buffer_bytes = 4096});
  constexpr size_t kBody = 40'000'000;
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", kBody, "\r\n\r\n")));
  const std::string body(kBody, 'b');
  const size_t before = Memory();
  const size_t said = peer.SayWhatFits(body);
  EXPECT_LT(said, kBody / 2);
  EXPECT_LT(Memory() - before, 4'000'000 * worker::kMemoryScale);
  EXPECT_NE(client.HearHead(), "");
  size_t heard = client.HearBytes(said).size();
  EXPECT_EQ(heard, said);
}

TEST_F(MessageTest, AServerThatDoesNotReadStopsTheClient) {
  RaiseFront();
  Client client = Connect();
  constexpr size_t kBody = 40'000'000;
  ASSERT_TRUE(client.Say(
      absl::StrCat("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: ", kBody, "\r\n\r\n")));
  Peer peer = server_.Accept();
  const std::string body(kBody, 'b');
  const size_t before = Memory();
  const size_t said = client.SayWhatFits(body);
  EXPECT_LT(said, kBody / 2);
  EXPECT_LT(Memory() - before, 4'000'000 * worker::kMemoryScale);
  peer.HearHead();
  EXPECT_EQ(peer.HearBytes(said).size(), said);
  ASSERT_TRUE(client.Say(std::string_view(body).substr(said, 1000)));
  EXPECT_EQ(peer.HearBytes(1000).size(), 1000u);
}

TEST_F(MessageTest, AnAnswerThatNobodyReadsYetDoesNotStopTheBody) {
  RaiseFront();
  Client client = Connect({.receive_buffer_bytes = 4096});
  constexpr size_t kBody = 40'000'000;
  ASSERT_TRUE(client.Say(
      absl::StrCat("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: ", kBody, "\r\n\r\n")));
  Peer peer = server_.Accept();
  peer.HearHead();
  ASSERT_TRUE(peer.Say(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", kBody, "\r\n\r\n")));
  const std::string body(kBody, 'b');
  const size_t answered = peer.SayWhatFits(body);
  ASSERT_LT(answered, kBody);
  for (size_t at = 0; at < kBody; at += 100'000) {
    ASSERT_TRUE(client.Say(std::string_view(body).substr(at, 100'000)));
    ASSERT_EQ(peer.HearBytes(100'000).size(), 100'000u);
  }
  EXPECT_NE(client.HearHead(), "");
  EXPECT_EQ(client.HearBytes(answered).size(), answered);
}

}  // namespace
}  // namespace uc::front
