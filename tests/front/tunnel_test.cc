// A change of protocol: from then on bytes pass both ways.
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using worker::Ending;

const char kUpgrade[] =
    "GET /chat HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const char kSwitching[] =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

class TunnelTest : public FrontStage {
 protected:
  // The client asks for the change, and both sides have made it.
  Peer Open(Client& client, std::string_view request = kUpgrade) {
    EXPECT_TRUE(client.Say(request));
    Peer peer = server_.Accept();
    EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nUpgrade: websocket\r\n"));
    EXPECT_TRUE(peer.Say(kSwitching));
    EXPECT_THAT(client.HearHead(), StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    return peer;
  }
  // The server does not agree; then both connections go on as behind any answer.
  void RefusalIsAnAnswer(std::string_view request) {
    Client client = Connect();
    Peer peer = Ask(client, request);
    ASSERT_TRUE(peer.Say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
    EXPECT_EQ(client.Hear().body, "no");
    ASSERT_TRUE(client.Say(kGet));
    EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
    ASSERT_TRUE(peer.Say(kHello));
    EXPECT_EQ(client.Hear().body, "hello");
  }
};

TEST_F(TunnelTest, BytesPassBothWays) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(client.Say("\x81\x05ping!"));
    ASSERT_EQ(peer.HearBytes(7), "\x81\x05ping!");
    ASSERT_TRUE(peer.Say("\x81\x05pong!"));
    ASSERT_EQ(client.HearBytes(7), "\x81\x05pong!");
  }
}

TEST_F(TunnelTest, WhatTheClientHasSentBeforeTheChangePasses) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client, absl::StrCat(kUpgrade, "early"));
  EXPECT_EQ(peer.HearBytes(5), "early");
}

TEST_F(TunnelTest, WhatTheServerSendsWithTheChangePasses) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kUpgrade);
  ASSERT_TRUE(peer.Say(absl::StrCat(kSwitching, "first")));
  EXPECT_NE(client.HearHead(), "");
  EXPECT_EQ(client.HearBytes(5), "first");
}

TEST_F(TunnelTest, TheServersEndIsTheClients) {
  RaiseFront();
  Client client = Connect();
  {
    Peer peer = Open(client);
    ASSERT_TRUE(peer.Say("bye"));
  }
  EXPECT_EQ(client.HearBytes(3), "bye");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(TunnelTest, TheClientsFinIsTheServersAndTheOtherWayStaysOpen) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  ASSERT_TRUE(client.Say("last"));
  client.EndSending();
  EXPECT_EQ(peer.HearAll(), "last");
  ASSERT_TRUE(peer.Say("answer"));
  EXPECT_EQ(client.HearBytes(6), "answer");
  peer.EndSending();
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(TunnelTest, AClientThatBreaksOffEndsTheServersConnection) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  client.Reset();
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
}

TEST_F(TunnelTest, AnIdleTunnelHasNoDeadline) {
  options_.idle_timeout = options_.header_timeout = absl::Milliseconds(100);
  options_.request_timeout = options_.body_timeout = absl::Seconds(1);
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  EXPECT_EQ(Connect().AwaitEnd(), Ending::kFin);  // so much later an idle connection has ended
  ASSERT_TRUE(client.Say("ping"));
  EXPECT_EQ(peer.HearBytes(4), "ping");
}

TEST_F(TunnelTest, ARefusedChangeIsAnAnswerLikeOthers) {
  RaiseFront();
  RefusalIsAnAnswer(kUpgrade);
}

TEST_F(TunnelTest, ATunnelTakesNoPlaceOfARequest) {
  in_flight_max_ = 1;
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  Client other = Connect();
  Peer another = ServeOnce(other);
}

TEST_F(TunnelTest, WhoDoesNotReadStopsWhoWrites) {
  RaiseFront();
  Client client = Connect({.receive_buffer_bytes = 4096});
  Peer peer = Open(client);
  const std::string bytes(40'000'000, 'b');
  const size_t said = peer.SayWhatFits(bytes);
  EXPECT_LT(said, bytes.size() / 2);
  EXPECT_EQ(client.HearBytes(said).size(), said);
}

TEST_F(TunnelTest, TheServersFinIsTheClientsAndTheOtherWayStaysOpen) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  peer.EndSending();
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  ASSERT_TRUE(client.Say("more"));
  EXPECT_EQ(peer.HearBytes(4), "more");
  client.EndSending();
  EXPECT_EQ(peer.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(TunnelTest, WhoHasEndedHearsTheOtherToItsEnd) {
  RaiseFront();
  for (int i = 0; i < 10; ++i) {
    Client client = Connect({.receive_buffer_bytes = 4096});
    Peer peer = Open(client);
    HearsAllAfterItsEnd(client, peer);
  }
  Client client = Connect();
  Peer peer = Open(client);
  HearsAllAfterItsEnd(peer, client);
}

TEST_F(TunnelTest, AnotherVersionOfHttpIsNoTunnel) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(
      "GET /a?b HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"));
  Peer peer = server_.Accept();
  const std::string head = peer.HearHead();
  EXPECT_THAT(head, StartsWith("GET /a?b HTTP/1.1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("pgrade")));
  EXPECT_THAT(head, Not(HasSubstr("HTTP2-Settings")));
  ASSERT_TRUE(
      peer.Say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"));
  EXPECT_EQ(client.Hear().status, 502);
}

// --- CONNECT ---

const char kConnect[] = "CONNECT db.example:5432 HTTP/1.1\r\nHost: t\r\n\r\n";

TEST_F(TunnelTest, ConnectIsATunnelOnceTheServerAgrees) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(absl::StrCat(kConnect, "early")));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(),
              StartsWith("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n"));
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 Connection Established\r\nContent-Length: 5\r\n\r\nfirst"));
  EXPECT_EQ(client.HearHead(), "HTTP/1.1 200 Connection Established\r\n\r\n");
  EXPECT_EQ(client.HearBytes(5), "first");
  EXPECT_EQ(peer.HearBytes(5), "early");
  client.EndSending();
  EXPECT_EQ(peer.AwaitEnd(), Ending::kFin);
}

TEST_F(TunnelTest, AnOldClientsConnectAsWell) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, "CONNECT a:1 HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_NE(client.HearHead(), "");
  ASSERT_TRUE(client.Say("ping"));
  EXPECT_EQ(peer.HearBytes(4), "ping");
}

TEST_F(TunnelTest, ARefusedConnectIsAnAnswerLikeOthers) {
  RaiseFront();
  RefusalIsAnAnswer(kConnect);
}

TEST_F(TunnelTest, AConnectWhoseServerEndsIsNotSentTwice) {
  RaiseFront();
  Client client = Connect();
  { Peer peer = Ask(client, kConnect); }
  EXPECT_EQ(client.Hear().status, 502);
  EXPECT_TRUE(server_.Alone());
}

}  // namespace
}  // namespace uc::front
