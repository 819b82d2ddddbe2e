// The load generator against a server that does what a story says: what it counts is what was done.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/net/listener.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tools/scripted_server.h"
#include "tools/load/client.h"
#include "tools/load/crew.h"

namespace uc::load {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// Nothing in these stories takes so long.
constexpr absl::Duration kNever = absl::Minutes(5);
constexpr absl::Duration kSoon = absl::Milliseconds(100);

ClientOptions Asking(const net::Address& target, uint64_t attempts) {
  ClientOptions options;
  options.targets = {target};
  options.connections = 1;
  options.attempts_max = attempts;
  options.timeout = kNever;
  return options;
}

ClientOptions Asking(const ScriptedServer& server, uint64_t attempts) {
  return Asking(server.address(), attempts);
}

Tally Attempts(ClientOptions options) {
  Client client(std::move(options));
  Signals signals;
  EXPECT_TRUE(client.Run(signals, [] {}).ok());
  Tally tally = client.tally();
  uint64_t sum = 0;
  for (size_t kind = 0; kind < kKinds; ++kind) sum += tally.of(static_cast<Kind>(kind));
  EXPECT_EQ(sum, tally.attempts()) << "each attempt is counted once, as one kind";
  EXPECT_EQ(tally.latency().count(), tally.of(Kind::kOk));
  return tally;
}

// Each attempt came to this end.
void ExpectAll(const Tally& tally, Kind kind) {
  EXPECT_GT(tally.attempts(), 0u);
  EXPECT_EQ(tally.of(kind), tally.attempts())
      << Name(kind) << " expected; the first: "
      << (tally.failures().empty() ? "ok" : Name(tally.failures()[0].kind));
}

void AnswerAll(Peer& peer) {
  while (!peer.Request().empty()) peer.Answer("hello");
}

// --- Answers ---

TEST(LoadClientTest, NewConnectionForEachRequestWhichSaysClose) {
  std::atomic<int> said_close = 0;
  ScriptedServer server([&](Peer& peer) {
    said_close += absl::StrContains(peer.Request(), "\r\nConnection: close\r\n");
    peer.Say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
  });
  const Tally tally = Attempts(Asking(server, 20));
  ExpectAll(tally, Kind::kOk);
  EXPECT_EQ(tally.attempts(), 20u);
  EXPECT_EQ(tally.opened(), 20u);
  EXPECT_EQ(server.connections(), 20);
  EXPECT_EQ(said_close, 20);
}

TEST(LoadClientTest, NewConnectionAlsoWhereTheServerWouldKeepIt) {
  ScriptedServer server(AnswerAll);
  ExpectAll(Attempts(Asking(server, 10)), Kind::kOk);
  EXPECT_EQ(server.connections(), 10);
}

TEST(LoadClientTest, KeepAliveStaysOnItsConnection) {
  ScriptedServer server(AnswerAll);
  ClientOptions options = Asking(server, 50);
  options.mode = Mode::kKeepAlive;
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kOk);
  EXPECT_EQ(tally.attempts(), 50u);
  EXPECT_EQ(server.connections(), 1);
}

TEST(LoadClientTest, LanesHaveConnectionsOfTheirOwn) {
  ScriptedServer server(AnswerAll);
  ClientOptions options = Asking(server, 400);
  options.mode = Mode::kKeepAlive;
  options.connections = 16;
  ExpectAll(Attempts(options), Kind::kOk);
  EXPECT_EQ(server.connections(), 16);
}

TEST(LoadClientTest, AnswerThatComesByteByByteIsOneAnswer) {
  ScriptedServer server([](Peer& peer) {
    const int on = 1;
    setsockopt(peer.fd(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    while (!peer.Request().empty()) {
      for (const char c : std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) {
        peer.Say(std::string(1, c));
      }
    }
  });
  ClientOptions options = Asking(server, 5);
  options.mode = Mode::kKeepAlive;
  options.expected.body = "hello";
  options.expected.bytes = 5;
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kOk);
  EXPECT_EQ(tally.bytes(), 5u * 43);
}

TEST(LoadClientTest, LargeBodyIsReadWholeAndCompared) {
  const std::string body(3'000'000, 'x');
  ScriptedServer server([&](Peer& peer) {
    while (!peer.Request().empty()) peer.Answer(body);
  });
  ClientOptions options = Asking(server, 3);
  options.mode = Mode::kKeepAlive;
  options.expected.body = body;
  options.expected.bytes = body.size();
  ExpectAll(Attempts(options), Kind::kOk);
}

TEST(LoadClientTest, EndOfTheConnectionIsTheEndOfAnAnswerWithoutLength) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Say("HTTP/1.0 200 OK\r\n\r\nall of it");
  });
  ClientOptions options = Asking(server, 5);
  options.expected.body = "all of it";
  ExpectAll(Attempts(options), Kind::kOk);
}

TEST(LoadClientTest, ValuesOfAHeaderAreCounted) {
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; !peer.Request().empty(); ++i) {
      peer.Say(
          absl::StrCat("HTTP/1.1 200 OK\r\nX-Worker: ", i % 2, "\r\nContent-Length: 0\r\n\r\n"));
    }
  });
  ClientOptions options = Asking(server, 10);
  options.mode = Mode::kKeepAlive;
  options.expected.header = "x-worker";
  EXPECT_THAT(Attempts(options).header_values(),
              UnorderedElementsAre(testing::Pair("0", 5), testing::Pair("1", 5)));
}

TEST(LoadClientTest, ConnectionsComeFromAllSources) {
  ScriptedServer server(AnswerAll);
  ClientOptions options = Asking(server, 8);
  options.sources = {*net::Address::Parse("127.0.0.2:0"), *net::Address::Parse("127.0.0.3:0")};
  ExpectAll(Attempts(options), Kind::kOk);
  const std::vector<std::string> sources = server.sources();
  EXPECT_EQ(std::count(sources.begin(), sources.end(), "127.0.0.2"), 4);
  EXPECT_EQ(std::count(sources.begin(), sources.end(), "127.0.0.3"), 4);
}

TEST(LoadClientTest, ThreadsShareAttemptsAndConnections) {
  ScriptedServer server(AnswerAll);
  Options options;
  for (const uint64_t attempts : {4, 3, 3}) {
    options.clients.push_back(Asking(server, attempts));
    options.clients.back().mode = Mode::kKeepAlive;
  }
  Crew crew(options);
  ASSERT_TRUE(crew.Join().ok());
  EXPECT_EQ(crew.Total().of(Kind::kOk), 10u);
  EXPECT_EQ(crew.Total().latency().count(), 10u);
  EXPECT_EQ(server.connections(), 3);
  EXPECT_TRUE(crew.ended());
}

// --- Pipelining ---

TEST(LoadClientTest, PipelinedRequestsAreThereBeforeAnyAnswer) {
  ScriptedServer server([](Peer& peer) {
    for (;;) {
      std::string answers;
      for (int i = 0; i < 4; ++i) {
        if (peer.Request().empty()) return;
        answers += "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      }
      peer.Say(answers);
    }
  });
  ClientOptions options = Asking(server, 40);
  options.mode = Mode::kKeepAlive;
  options.pipeline = 4;
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kOk);
  EXPECT_EQ(tally.attempts(), 40u);
  EXPECT_EQ(server.connections(), 1);
}

TEST(LoadClientTest, BrokenPipelineLosesEachOfItsRequestsOnce) {
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; i < 4; ++i) peer.Request();
    peer.Answer("one");
    peer.Say("HTTP/1.1 200 OK\r\nContent-Le");
  });
  ClientOptions options = Asking(server, 4);
  options.mode = Mode::kKeepAlive;
  options.pipeline = 4;
  const Tally tally = Attempts(options);
  EXPECT_EQ(tally.of(Kind::kOk), 1u);
  EXPECT_EQ(tally.of(Kind::kEofMidAnswer), 1u);
  EXPECT_EQ(tally.of(Kind::kEofBeforeAnswer), 2u);
}

TEST(LoadClientTest, RequestsBehindAnAnswerThatClosesAreLost) {
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i) peer.Request();
    peer.Say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    peer.Wait();
  });
  ClientOptions options = Asking(server, 3);
  options.mode = Mode::kKeepAlive;
  options.pipeline = 3;
  const Tally tally = Attempts(options);
  EXPECT_EQ(tally.of(Kind::kOk), 1u);
  EXPECT_EQ(tally.of(Kind::kEofBeforeAnswer), 2u);
  EXPECT_EQ(tally.announced_closed(), 1u);
}

TEST(LoadClientTest, OpenLoopUsesTheDepthOfThePipeline) {
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; i < 3; ++i) peer.Request();
    for (int i = 0; i < 3; ++i) peer.Answer("late");
    peer.Wait();
  });
  ClientOptions options = Asking(server, 3);
  options.mode = Mode::kKeepAlive;
  options.pipeline = 3;
  options.rate = 100'000;
  ExpectAll(Attempts(options), Kind::kOk);
  EXPECT_EQ(server.connections(), 1);
}

// --- Open loop: latency from the intended time ---

TEST(LoadClientTest, StallIsFeltByAllWhoShouldHaveComeMeanwhile) {
  constexpr int kStallMs = 300;
  ScriptedServer server([](Peer& peer) {
    for (int i = 0; !peer.Request().empty(); ++i) {
      if (i == 20) poll(nullptr, 0, kStallMs);  // the stall itself, waiting for nothing
      peer.Answer("hello");
    }
  });
  ClientOptions options = Asking(server, 400);
  options.mode = Mode::kKeepAlive;
  options.rate = 1000;
  options.slow = absl::Milliseconds(50);
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kOk);
  // 1,000 a second for 300 ms, less those of the last 50: a closed loop would have felt it once.
  EXPECT_GE(tally.slow(), 240u);
  EXPECT_GE(tally.latency().max(), 299'000'000);
  EXPECT_EQ(tally.service().count(), 400u);
  EXPECT_LT(tally.service().mean(), tally.latency().mean());
}

TEST(LoadClientTest, AttemptsThatFoundNoConnectionUntilTheEndAreNamed) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Wait();
  });
  ClientOptions options = Asking(server, UINT64_MAX);
  options.rate = 1000;
  options.timeout = absl::Milliseconds(200);
  Client client(options);
  Signals signals;
  std::thread owner([&] {
    poll(nullptr, 0, 100);
    signals.enough = true;
  });
  ASSERT_TRUE(client.Run(signals, [] {}).ok());
  owner.join();
  EXPECT_EQ(client.tally().of(Kind::kTimeoutAnswer), client.tally().attempts());
  EXPECT_GE(client.tally().attempts() + client.tally().not_begun(), 99u);
}

TEST(LoadClientTest, ThinkingTimePassesBetweenAnswerAndRequest) {
  ScriptedServer server(AnswerAll);
  ClientOptions options = Asking(server, 4);
  options.mode = Mode::kKeepAlive;
  options.think = absl::Milliseconds(30);
  Client client(options);
  Signals signals;
  ASSERT_TRUE(client.Run(signals, [] {}).ok());
  EXPECT_EQ(client.tally().of(Kind::kOk), 4u);
  EXPECT_GE(client.seconds(), 0.09);
}

// --- Failures, each by its kind ---

TEST(LoadClientFailureTest, NobodyListensIsRefused) {
  net::Address address;
  {
    const ScriptedServer server([](Peer&) {});
    address = server.address();
  }
  const Tally tally = Attempts(Asking(address, 5));
  ExpectAll(tally, Kind::kRefused);
  EXPECT_EQ(tally.opened(), 0u);
  EXPECT_EQ(tally.lost(), 5u);
  EXPECT_THAT(tally.failures(), SizeIs(5));
}

TEST(LoadClientFailureTest, ResetBeforeTheAnswer) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Reset();
  });
  const Tally tally = Attempts(Asking(server, 5));
  ExpectAll(tally, Kind::kResetBeforeAnswer);
  EXPECT_NE(tally.failures()[0].local_port, 0);
}

TEST(LoadClientFailureTest, ResetInTheAnswer) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Say("HTTP/1.1 200 OK\r\n");
    peer.Reset();
  });
  const Tally tally = Attempts(Asking(server, 5));
  ExpectAll(tally, Kind::kResetMidAnswer);
  EXPECT_EQ(tally.failures()[0].bytes, 17u);
}

TEST(LoadClientFailureTest, EndBeforeTheAnswer) {
  ScriptedServer server([](Peer& peer) { peer.Request(); });
  ExpectAll(Attempts(Asking(server, 5)), Kind::kEofBeforeAnswer);
}

TEST(LoadClientFailureTest, EndInTheBody) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!");
  });
  ExpectAll(Attempts(Asking(server, 5)), Kind::kEofMidAnswer);
}

TEST(LoadClientFailureTest, AnswerThatNeverComes) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Wait();
  });
  ClientOptions options = Asking(server, 2);
  options.timeout = kSoon;
  ExpectAll(Attempts(options), Kind::kTimeoutAnswer);
}

TEST(LoadClientFailureTest, HandshakeThatNeverEnds) {
  // A queue with room for one, which is taken: the kernel drops the SYNs of others.
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in local = {};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&local), sizeof(local)), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  const net::Address address = *net::LocalAddress(listener);
  const Fd first(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(first.get(), address.get(), address.size()), 0);
  ClientOptions options = Asking(address, 2);
  options.timeout = kSoon;
  ExpectAll(Attempts(options), Kind::kTimeoutConnect);
}

TEST(LoadClientFailureTest, AnswersThatAreNotAsExpected) {
  for (const char* said : {"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello",
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo",
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhe",
                           "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!",
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
                           "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
                           "SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n"}) {
    SCOPED_TRACE(said);
    ScriptedServer server([said](Peer& peer) {
      peer.Request();
      peer.Say(said);
      peer.Wait();
    });
    ClientOptions options = Asking(server, 2);
    options.expected.body = "hello";
    options.expected.bytes = 5;
    ExpectAll(Attempts(options), Kind::kBadAnswer);
  }
}

TEST(LoadClientFailureTest, OurOwnFaultIsNoLoss) {
  const ScriptedServer server(AnswerAll);
  ClientOptions options = Asking(server, 3);
  options.sources = {*net::Address::Parse("192.0.2.1:0")};  // nobody's address (RFC 5737)
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kLocalError);
  EXPECT_EQ(tally.lost(), 0u);
}

TEST(LoadClientFailureTest, LaneGoesOnAfterAFailure) {
  std::atomic<int> number = 0;
  ScriptedServer server([&](Peer& peer) {
    if (++number % 2 == 0) {
      peer.Request();
      peer.Reset();
    } else {
      peer.Request();
      peer.Answer("hello");
      if (!peer.Request().empty()) peer.Answer("hello");
      peer.Request();
    }
  });
  ClientOptions options = Asking(server, 30);
  options.mode = Mode::kKeepAlive;
  const Tally tally = Attempts(options);
  EXPECT_GT(tally.of(Kind::kOk), 0u);
  EXPECT_GT(tally.of(Kind::kResetBeforeAnswer), 0u);
}

TEST(LoadClientFailureTest, IdleConnectionThatTheServerClosesIsNoLoss) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Answer("hello");
  });
  ClientOptions options = Asking(server, 3);
  options.mode = Mode::kKeepAlive;
  options.think = kSoon;
  const Tally tally = Attempts(options);
  EXPECT_EQ(tally.lost(), 0u);
  EXPECT_GE(tally.idle_closed(), 2u);
  EXPECT_EQ(tally.announced_closed(), 0u);
}

TEST(LoadClientFailureTest, AnnouncedCloseIsCountedApart) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  ClientOptions options = Asking(server, 3);
  options.mode = Mode::kKeepAlive;
  const Tally tally = Attempts(options);
  ExpectAll(tally, Kind::kOk);
  EXPECT_EQ(tally.announced_closed(), 3u);
  EXPECT_EQ(tally.idle_closed(), 0u);
}

TEST(LoadClientFailureTest, ServerThatIgnoresCloseKeepsNobodyWaiting) {
  ScriptedServer server([](Peer& peer) {
    peer.Request();
    peer.Say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    peer.Wait();  // says close, and does not
  });
  ExpectAll(Attempts(Asking(server, 20)), Kind::kOk);
}

}  // namespace
}  // namespace uc::load
