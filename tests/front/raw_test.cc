// Clients and servers that do not speak HTTP/1: every byte passes, both ways.
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/app/app.h"
#include "core/net/listener.h"
#include "core/worker/hand_over.h"
#include "gmock/gmock.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using testing::StartsWith;
using worker::Ending;

constexpr std::string_view kTls("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kRedis = "*1\r\n$4\r\nPING\r\n";
constexpr std::string_view kBinary("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8);
constexpr std::string_view kPong("\x00\r\npong", 7);
constexpr char kPing[] = "hello";  // no line, no space: it could become a method

class RawTest : public FrontStage {
 protected:
  // The client's first words have reached the server.
  Peer Open(Client& client, std::string_view words = kRedis) {
    EXPECT_TRUE(client.Say(words));
    Peer peer = server_.Accept();
    EXPECT_EQ(peer.HearBytes(words.size()), words);
    return peer;
  }
  // The server answers one request in HTTP/1.
  void ShowHttp() {
    Client client = Connect();
    Peer peer = ServeOnce(client);
  }
};

class OtherProtocolTest : public RawTest, public testing::WithParamInterface<std::string_view> {};

TEST_P(OtherProtocolTest, IsTunnelled) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client, GetParam());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(peer.Say(kPong));
    ASSERT_EQ(client.HearBytes(kPong.size()), kPong);
    ASSERT_TRUE(client.Say("GET / HTTP/1.1\r\n\r\n"));
    ASSERT_EQ(peer.HearBytes(18), "GET / HTTP/1.1\r\n\r\n");
  }
}

TEST_P(OtherProtocolTest, IsTunnelledInPiecesAsWell) {
  RaiseFront();
  Client client = Connect();
  for (const char byte : GetParam()) ASSERT_TRUE(client.Say(std::string_view(&byte, 1)));
  Peer peer = server_.Accept();
  EXPECT_EQ(peer.HearBytes(GetParam().size()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Protocols, OtherProtocolTest,
                         testing::Values(kTls, kPreface, kRedis, kBinary, kPing));

TEST_F(RawTest, TheFirstBytesPassWithTheFinBehindThem) {
  RaiseFront();
  for (std::string_view words : {kRedis, std::string_view(kPing)}) {
    Client client = Connect();
    ASSERT_TRUE(client.Say(words));
    client.EndSending();
    Peer peer = server_.Accept();
    EXPECT_EQ(peer.HearAll(), words);
    ASSERT_TRUE(peer.Say("answer"));
    peer.EndSending();
    EXPECT_EQ(client.HearAll(), "answer");
  }
}

TEST_F(RawTest, EachSideEndsByItself) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  ASSERT_TRUE(peer.Say("last"));
  peer.EndSending();
  EXPECT_EQ(client.HearAll(), "last");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Say("more"));
    ASSERT_EQ(peer.HearBytes(4), "more");
  }
  client.EndSending();
  EXPECT_EQ(peer.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(RawTest, WhoHasEndedHearsTheOtherToItsEnd) {
  RaiseFront();
  for (int i = 0; i < 10; ++i) {
    Client client = Connect({.receive_buffer_bytes = 4096});
    Peer peer = Open(client);
    HearsAllAfterItsEnd(client, peer);
  }
  Client client = Connect();
  Peer peer = Open(client);
  HearsAllAfterItsEnd(peer, client);
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(RawTest, AServerThatHasClosedEndsTheTunnel) {
  RaiseFront();
  Client client = Connect();
  {
    Peer peer = Open(client);
    ASSERT_TRUE(peer.Say("bye"));
  }
  EXPECT_EQ(client.HearAll(), "bye");
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(RawTest, AClientThatBreaksOffEndsTheServersConnection) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  client.Reset();
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(RawTest, WhoDoesNotReadStopsWhoWrites) {
  RaiseFront();
  const std::string bytes(40'000'000, 'b');
  {
    Client client = Connect({.receive_buffer_bytes = 4096});
    Peer peer = Open(client);
    const size_t before = Memory();
    const size_t said = peer.SayWhatFits(bytes);
    EXPECT_LT(said, bytes.size() / 2);
    EXPECT_LT(Memory() - before, 4'000'000 * worker::kMemoryScale);
    EXPECT_EQ(client.HearBytes(said).size(), said);
  }
  Client client = Connect();
  Peer peer = Open(client);
  const size_t said = client.SayWhatFits(bytes);
  EXPECT_LT(said, bytes.size() / 2);
  EXPECT_EQ(peer.HearBytes(said).size(), said);
}

TEST_F(RawTest, NoPauseIsTooLong) {
  options_.idle_timeout = options_.header_timeout = options_.body_timeout = absl::Milliseconds(100);
  options_.request_timeout = options_.send_timeout = absl::Milliseconds(100);
  RaiseFront();
  Client slow = Connect({.receive_buffer_bytes = 4096});
  Peer of_slow = Open(slow);
  const size_t said = of_slow.SayWhatFits(std::string(40'000'000, 'b'));
  Client client = Connect();
  Peer peer = Open(client);
  // By then a client of HTTP has ended that waited for its answer as long.
  Client other = Connect();
  Peer asked = Ask(other, kGet);
  EXPECT_EQ(other.Hear().status, 504);
  ASSERT_TRUE(client.Say("ping"));
  EXPECT_EQ(peer.HearBytes(4), "ping");
  EXPECT_EQ(slow.HearBytes(said).size(), said);
}

TEST_F(RawTest, ATunnelIsInFlightAndNoRequest) {
  in_flight_max_ = 1;
  RaiseFront();
  Client first = Connect(), second = Connect();
  {
    Peer one = Open(first);
    Peer two = Open(second);
    EXPECT_TRUE(ReachesInFlight(2));
    EXPECT_EQ(row().counters.requests.load(), 0u);
    ShowHttp();  // and takes no place of one
  }
  EXPECT_TRUE(ReachesInFlight(0));
  EXPECT_EQ(Totals().requests, 1u);
  EXPECT_EQ(Totals().bad_requests, 0u);
}

TEST_F(RawTest, AMalformedRequestIs400AndReachesNoServer) {
  RaiseFront();
  for (const char* bytes :
       {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x0bGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"}) {
    Client client = Connect();
    ASSERT_TRUE(client.Say(bytes));
    EXPECT_EQ(client.Hear().status, 400) << bytes;
  }
  EXPECT_TRUE(server_.Alone());
}

TEST_F(RawTest, AServerOfHttpGetsNoBytesOfAnUnknownProtocol) {
  RaiseFront();
  ShowHttp();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kRedis));
  EXPECT_EQ(client.Hear().status, 400);
  Client slow = Connect();
  ASSERT_TRUE(slow.Say("GE"));
  ASSERT_TRUE(slow.Say("T /a?b HTTP/1.1\r\nHost: test\r\n\r\n"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(slow.Hear().body, "hello");
}

TEST_F(RawTest, AServerOfHttpMaySpeakTlsAndHttp2AsWell) {
  RaiseFront();
  ShowHttp();
  for (std::string_view words : {kTls, kPreface}) {
    Client client = Connect();
    Peer peer = Open(client, words);
    ASSERT_TRUE(peer.Say("answer"));
    EXPECT_EQ(client.HearBytes(6), "answer");
  }
}

TEST_F(RawTest, AfterARequestNothingElseIsSpoken) {
  RaiseFront();
  Client client = Connect();
  Peer peer = ServeOnce(client);
  ASSERT_TRUE(client.Say(kTls));
  EXPECT_EQ(client.Hear().status, 400);
}

TEST_F(RawTest, WithoutAServerAClientWaitsThenIsEnded) {
  RaiseFront();
  server_.Leave();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kRedis));
  client.EndSending();
  EXPECT_TRUE(ReachesInFlight(1));
  server_.Return();
  Peer peer = server_.Accept();
  EXPECT_EQ(peer.HearAll(), kRedis);
}

TEST_F(RawTest, WhoHasWaitedTooLongForAServerIsEndedWithoutAWordOfHttp) {
  wait_max_ = absl::Milliseconds(200);
  RaiseFront();
  server_.Leave();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kRedis));
  EXPECT_EQ(client.HearAll(), "");
}

// --- The server speaks first ---

class GreetingTest : public RawTest {
 protected:
  GreetingTest() { options_.first_byte_timeout = absl::Milliseconds(100); }
  // The server greets a client that says nothing.
  Peer Greet(Client& client) {
    Peer peer = server_.Accept();
    EXPECT_TRUE(peer.Say("220 ready\r\n"));
    EXPECT_EQ(client.HearBytes(11), "220 ready\r\n");
    return peer;
  }
};

TEST_F(GreetingTest, ASilentClientHearsAServerThatSpeaksFirst) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Greet(client);
  ASSERT_TRUE(client.Say("EHLO a\r\n"));
  EXPECT_EQ(peer.HearBytes(8), "EHLO a\r\n");
  client.EndSending();
  EXPECT_EQ(peer.HearAll(), "");
  ASSERT_TRUE(peer.Say("bye"));
  peer.EndSending();
  EXPECT_EQ(client.HearAll(), "bye");
  EXPECT_TRUE(ReachesInFlight(0));
}

TEST_F(GreetingTest, OnceItHasEveryClientHasItsTunnelAtOnce) {
  RaiseFront();
  Client first = Connect();
  Peer of_first = Greet(first);
  for (int i = 0; i < 3; ++i) {
    Client client = Connect();
    Peer peer = Greet(client);
    ASSERT_TRUE(client.Say("GET / HTTP/1.1\r\n"));
    EXPECT_EQ(peer.HearBytes(16), "GET / HTTP/1.1\r\n");
  }
}

TEST_F(GreetingTest, ASilentClientMayYetSpeakHttp) {
  RaiseFront();
  Client client = Connect();
  Peer silent = server_.Accept();
  ASSERT_TRUE(client.Say(kGet));
  EXPECT_EQ(silent.HearAll(), "");  // it was for the server's first words
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(GreetingTest, OrAnotherProtocol) {
  RaiseFront();
  Client client = Connect();
  Peer peer = server_.Accept();
  ASSERT_TRUE(client.Say(kRedis));
  EXPECT_EQ(peer.HearBytes(kRedis.size()), kRedis);
  ASSERT_TRUE(peer.Say("+PONG\r\n"));
  EXPECT_EQ(client.HearBytes(7), "+PONG\r\n");
}

TEST_F(GreetingTest, AServerOfHttpIsNotAskedForFirstWords) {
  RaiseFront();
  Client silent = Connect();
  Peer listening = server_.Accept();
  ShowHttp();
  EXPECT_EQ(listening.HearAll(), "");
  Client other = Connect();  // as silent
  ShowHttp();
  ASSERT_TRUE(silent.Say(kGet));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(silent.Hear().body, "hello");
}

TEST_F(GreetingTest, AServerOfOneThreadIsNotKeptFromRequestsByAClientThatSaysNothing) {
  RaiseFront();
  Client silent = Connect();
  Peer held = server_.Accept();  // by the only thread: it reads nothing else
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  EXPECT_EQ(held.HearAll(), "");
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(GreetingTest, AServerThatIsTiredOfWaitingIsNoServerThatSpeaksFirst) {
  RaiseFront();
  Client client = Connect();
  {
    Peer peer = server_.Accept();
    ASSERT_TRUE(peer.Say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"));
  }
  ASSERT_TRUE(client.Say(kGet));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), StartsWith("GET /a?b "));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
}

// --- What the operator says ---

TEST_F(RawTest, TcpMeansThatNothingIsLookedAt) {
  options_.client_protocol = worker::ClientProtocol::kTcp;
  options_.first_byte_timeout = absl::Seconds(60);
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client, "get key HTTP/1.1\r\n");
  ASSERT_TRUE(peer.Say("END\r\n"));
  EXPECT_EQ(client.HearBytes(5), "END\r\n");
  Client silent = Connect();
  Peer greets = server_.Accept();
  ASSERT_TRUE(greets.Say("220 ready\r\n"));
  EXPECT_EQ(silent.HearBytes(11), "220 ready\r\n");
}

TEST_F(RawTest, HttpMeansThatNothingElsePasses) {
  options_.client_protocol = worker::ClientProtocol::kHttp;
  RaiseFront();
  for (std::string_view words : {kTls, kPreface, kRedis}) {
    Client client = Connect();
    ASSERT_TRUE(client.Say(words));
    const int status = client.Hear().status;
    EXPECT_TRUE(status == 400 || status == 505) << status;
  }
  EXPECT_TRUE(server_.Alone());
}

// --- The worker's end ---

TEST_F(RawTest, ATunnelOutlivesTheBeginningOfADrain) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Open(client);
  Drain(link::DrainKind::kHandOver, absl::Seconds(60));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Say("ping"));
    ASSERT_EQ(peer.HearBytes(4), "ping");
  }
  client.EndSending();
  EXPECT_EQ(peer.AwaitEnd(), Ending::kFin);
  peer.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
}

// What an heir takes over.
Fd Taken(const Fd& inbox) {
  char head[16];
  iovec part = {head, sizeof(head)};
  alignas(cmsghdr) char control[CMSG_SPACE(32 * sizeof(int))];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  if (recvmsg(inbox.get(), &header, 0) <= 0) return Fd();
  const cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  int fd = -1;
  if (rights != nullptr) memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
  return Fd(fd);
}

TEST_F(GreetingTest, ASilentClientMovesAndMaySpeakAnythingThere) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const Fd heir(pair[0]), giving(pair[1]);
  RaiseFront();
  Client client = Connect();
  Peer listening = server_.Accept();
  Client tunnelled = Connect();
  Peer tunnel = Open(tunnelled);
  Drain(link::DrainKind::kHandOver, absl::Seconds(60), {giving.get()});
  Client moved(Taken(heir));
  EXPECT_EQ(listening.HearAll(), "");
  ASSERT_TRUE(client.Say("x"));
  EXPECT_EQ(moved.HearBytes(1), "x");
  ASSERT_TRUE(tunnelled.Say("ping"));
  EXPECT_EQ(tunnel.HearBytes(4), "ping");
}

class TakenOverTest : public RawTest {
 protected:
  // A client of another worker's, which has read `said` of it, and gives it to this one.
  Client TakeOver(std::string_view said) {
    const net::Address any = net::Address::Parse("127.0.0.1:0").value();
    const Fd listener = net::Bind(any, net::ListenOptions()).value();
    EXPECT_TRUE(net::StartListening(listener, any, net::ListenOptions()).ok());
    Client client(net::LocalAddress(listener).value());
    pollfd watch = {listener.get(), POLLIN, 0};
    EXPECT_EQ(poll(&watch, 1, 20'000), 1);
    const Fd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!said.empty()) {
      EXPECT_TRUE(client.Say(said));
      std::string bytes(said.size(), '\0');
      EXPECT_EQ(recv(accepted.get(), bytes.data(), bytes.size(), MSG_WAITALL),
                static_cast<ssize_t>(said.size()));
    }
    worker::Heirs heirs(app::Protocol::kHttp);
    std::vector<Fd> inboxes;
    inboxes.push_back(inbox_.Duplicate());
    heirs.Set(std::move(inboxes), {worker::Heirs::kUnlimited});
    const int descriptor = accepted.get();
    EXPECT_EQ(heirs.Give({&descriptor, 1}), 1u);
    return client;
  }
};

TEST_F(TakenOverTest, WhoHasSaidNothingMaySpeakAnything) {
  RaiseFront();
  Client client = TakeOver("");
  Peer peer = Open(client);
  ASSERT_TRUE(peer.Say("+PONG\r\n"));
  EXPECT_EQ(client.HearBytes(7), "+PONG\r\n");
}

TEST_F(TakenOverTest, WhoHasAskedInHttpGoesOnInHttp) {
  RaiseFront();
  Client client = TakeOver(kGet);
  Peer peer = ServeOnce(client);
  Client other = TakeOver(kGet);
  ASSERT_TRUE(other.Say(kRedis));
  EXPECT_EQ(other.Hear().status, 400);
}

}  // namespace
}  // namespace uc::front
