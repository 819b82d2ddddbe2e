// What is bounded: descriptors of files, places, memory of bodies, one connection's part of a turn.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/net/listener.h"
#include "core/worker/hand_over.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

constexpr char kHello[] = "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n";

// /hoard takes all descriptors but 20, /free gives them back.
class Hoarder : public app::App {
 public:
  void Handle(app::Exchange& exchange) override {
    if (exchange.request().path == "/hoard") {
      for (int fd; (fd = dup(STDERR_FILENO)) >= 0;) hoard_.emplace_back(fd);
      for (int i = 0; i < 20; ++i) hoard_.pop_back();
    }
    if (exchange.request().path == "/free") hoard_.clear();
    exchange.Send({.body = "hello"});
  }

 private:
  std::vector<Fd> hoard_;
};

// /big is 30,000 bytes, /count how often that was asked for.
class Counter : public app::App {
 public:
  void Handle(app::Exchange& exchange) override {
    if (exchange.request().path == "/count") return exchange.Send({.body = absl::StrCat(count_)});
    ++count_;
    exchange.Send({.body = std::string(30'000, 'c')});
  }

 private:
  int count_ = 0;
};

class LimitsTest : public Stage {
 protected:
  // A request for a file that no socket takes whole.
  std::string AskForFile() {
    const std::string path = folder_ + "/file";
    std::ofstream(path) << "x";
    EXPECT_EQ(truncate(path.c_str(), 16'000'000), 0);
    return absl::StrCat("GET /file?", path, ",0,16000000 HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  size_t Descriptors() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", pid(), "/fd"))) {
      ++count;
    }
    return count;
  }
  // So many connections as another worker gives them; their clients.
  std::vector<Client> HandOver(int count) {
    const net::Address any = net::Address::Parse("127.0.0.1:0").value();
    const Fd listener = net::Bind(any, {}).value();
    EXPECT_EQ(listen(listener.get(), count), 0);
    std::vector<Client> clients;
    std::vector<Fd> accepted;
    std::vector<int> descriptors;
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(net::LocalAddress(listener).value());
      accepted.emplace_back(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      descriptors.push_back(accepted.back().get());
    }
    Heirs heirs(app::Protocol::kHttp);
    std::vector<Fd> inboxes;
    inboxes.push_back(inbox_.Duplicate());
    heirs.Set(std::move(inboxes), {Heirs::kUnlimited});
    EXPECT_EQ(heirs.Give(descriptors), descriptors.size());
    return clients;
  }
  static std::string Post(size_t length, absl::string_view fields = "") {
    return absl::StrCat("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: ", length, "\r\n",
                        fields, "\r\n");
  }
};

// Descriptors.

TEST_F(LimitsTest, APipelineOfFilesHoldsOneOfThemOpen) {
  descriptors_max_ = 256;
  const std::string ask = AskForFile();
  Raise<Actor>();
  const size_t before = Descriptors();
  std::string pipeline;
  for (int i = 0; i < 32; ++i) pipeline += ask;
  constexpr size_t kReaders = 40;
  std::vector<Client> slow;
  for (size_t i = 0; i < kReaders; ++i) {
    slow.push_back(Connect({.receive_buffer_bytes = 4096}));
    slow.back().Say(pipeline);
  }
  ASSERT_TRUE(Reaches(row().counters.bytes_in, kReaders * pipeline.size()));
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  EXPECT_LE(Descriptors(), before + 2 * kReaders + 1);
}

TEST_F(LimitsTest, FilesBeingSentCountAsPlaces) {
  descriptors_max_ = 164;  // 100 places
  const std::string ask = AskForFile();
  Raise<Actor>();
  std::vector<Client> slow;
  for (uint64_t i = 0; i < 50; ++i) {
    slow.push_back(Connect({.receive_buffer_bytes = 4096}));
    slow.back().Say(ask);
    ASSERT_TRUE(Reaches(row().counters.requests, i + 1));
  }
  // What waits stays in the queue: nobody is accepted for whom there may be no descriptor.
  Client late = Connect();
  late.Say(kHello);
  EXPECT_TRUE(BeatsAfter(row().heartbeat_ns.load() + 1'000'000));
  EXPECT_TRUE(late.Silent());
  EXPECT_EQ(Totals().accepted, 50u);
  slow.front().Reset();
  EXPECT_EQ(late.Hear().body, "hello");
  EXPECT_EQ(Totals().accept_errors, 0u);
}

TEST_F(LimitsTest, ConnectionsAreNotTakenOverWithoutDescriptorsForThem) {
  descriptors_max_ = 256;
  Raise<Hoarder>();
  Client other = Connect();
  ASSERT_EQ(other.Get("/hoard").body, "hello");
  std::vector<Client> given = HandOver(32);
  for (Client& client : given) client.Say(kHello);
  for (int turns = 0; turns < 10; ++turns) ASSERT_EQ(other.Get("/hello").body, "hello");
  for (Client& client : given) EXPECT_TRUE(client.Silent());
  ASSERT_EQ(other.Get("/free").body, "hello");
  for (Client& client : given) EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(Totals().taken_over, 32u);
}

// Places.

TEST_F(LimitsTest, TheLongestIdleConnectionMakesWay) {
  options_.connections_max = 3;
  options_.heartbeat_period = absl::Milliseconds(20);
  Raise<Actor>();
  Client first = Connect(), second = Connect(), third = Connect();
  for (Client* client : {&first, &second, &third, &first}) {
    EXPECT_EQ(client->Get("/hello").body, "hello");
    ASSERT_TRUE(BeatsAfter(MonotonicNanos())) << "the next one has a turn of its own";
  }
  Client late = Connect();
  late.Say(kHello);
  EXPECT_EQ(late.Hear().body, "hello");
  EXPECT_EQ(second.AwaitEnd(), Ending::kFin);
  EXPECT_EQ(third.Get("/hello").body, "hello");
  EXPECT_EQ(first.Get("/hello").body, "hello");
  EXPECT_EQ(Totals().closed, 1u) << "one came, one went";
}

TEST_F(LimitsTest, WhoHasStoppedReadingMakesWayWhenNobodyIsIdle) {
  options_.connections_max = 1;
  Raise<Actor>();
  Client slow = Connect({.receive_buffer_bytes = 4096});
  slow.Say("GET /size?50000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(Reaches(row().counters.requests, 1));
  EXPECT_EQ(Connect().Get("/hello").body, "hello") << "not only after the time-out for sending";
}

// Bodies.

TEST_F(LimitsTest, ABodyForWhichThereIsNoMemoryWaitsForIt) {
  options_.body_memory = 250'000;
  Raise<Actor>();
  const std::string body(100'000, 'b');
  Client first = Connect(), second = Connect(), third = Connect(), fourth = Connect();
  uint64_t said = 0;
  for (Client* client : {&first, &second}) {
    const std::string most = Post(body.size()) + body.substr(1);
    client->Say(most);
    ASSERT_TRUE(Reaches(row().counters.bytes_in, said += most.size()));
  }
  third.Say(Post(body.size()));
  ASSERT_TRUE(Reaches(row().counters.bytes_in, said += Post(body.size()).size()));
  const std::string polite = Post(body.size(), "Expect: 100-continue\r\n");
  fourth.Say(polite);
  ASSERT_TRUE(Reaches(row().counters.bytes_in, said += polite.size()));
  EXPECT_EQ(Connect().Get("/hello").body, "hello") << "whoever has no body does not wait";
  third.Say(body);
  EXPECT_TRUE(third.Silent());
  EXPECT_TRUE(fourth.Silent()) << "100 Continue is a promise";
  first.Say("b");
  EXPECT_TRUE(first.Hear().body == body);
  EXPECT_TRUE(third.Hear().body == body);
  EXPECT_EQ(fourth.Hear(Client::Body::kHeadOnly).status, 100);
  fourth.Say(body);
  EXPECT_TRUE(fourth.Hear().body == body);
  second.Say("b");
  EXPECT_TRUE(second.Hear().body == body);
}

TEST_F(LimitsTest, OneRequestIsAnsweredBesideManyThatArePipelined) {
  Raise<Actor>();
  std::string requests;
  for (int i = 0; i < 20'000; ++i) requests += "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n";
  Client polite = Connect();
  EXPECT_EQ(polite.Get("/hello").body, "hello");
  std::vector<Client> greedy;
  for (int i = 0; i < 300; ++i) {
    greedy.push_back(Connect({.receive_buffer_bytes = 4096}));
    EXPECT_EQ(greedy.back().Get("/hello").body, "hello");
  }
  Signal(SIGSTOP);
  for (Client& client : greedy) client.SayWhatFits(requests);
  EXPECT_TRUE(polite.Say("GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"));
  Signal(SIGCONT);
  EXPECT_EQ(polite.Hear().body, "hello");
  // A few turns' worth; to read all of them first, as far as each may be, would take dozens of turns.
  EXPECT_LT(Totals().requests, 100'000u);
}

TEST_F(LimitsTest, AnswersThatNobodyReadsAreBoundedInSum) {
  options_.output_memory = 1'000'000;
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  std::string requests;
  for (int i = 0; i < 20'000; ++i) requests += "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n";
  const size_t before = Memory();
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(Connect({.receive_buffer_bytes = 4096}));
  std::vector<size_t> said(clients.size(), 0);
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < clients.size(); ++i) {
      const size_t now = clients[i].SayWhatFits(std::string_view(requests).substr(said[i]));
      said[i] += now;
      more |= now > 0;
    }
  }
  // Each with a share of its own as if it were alone would keep 50 MB and more.
  EXPECT_LT(Memory(), before + kMemoryScale * 25'000'000);
  const size_t size = sizeof("GET /hello HTTP/1.1\r\nHost: t\r\n\r\n") - 1;
  for (size_t answer = 0; answer < said[0] / size; ++answer) {
    ASSERT_EQ(clients[0].Hear().body, "hello") << answer;
  }
}

TEST_F(LimitsTest, BodiesAreBoundedInSum) {
  options_.body_memory = 1'000'000;
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  const size_t before = Memory();
  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(Connect());
    clients.back().Say(Post(900'000) + std::string(100'000, 'b'));
  }
  // One has the memory and sixteen wait for it; the others are told.
  EXPECT_TRUE(Reaches(row().counters.responses_5xx, 83));
  EXPECT_LT(Memory(), before + 4'000'000);
  int refused = 0;
  for (Client& client : clients) {
    if (client.Silent()) continue;
    Answer answer = client.Hear();
    refused += answer.status == 503 && answer.fields["connection"] == "close";
  }
  EXPECT_EQ(refused, 83);
}

TEST_F(LimitsTest, WhoWaitsForMemoryForTooLongIs503) {
  options_.body_memory = 100'000;
  options_.body_timeout = absl::Milliseconds(500);
  Raise<Actor>();
  Client first = Connect(), second = Connect();
  first.Say(Post(100'000) + "b");
  uint64_t said = Post(100'000).size() + 1;
  ASSERT_TRUE(Reaches(row().counters.bytes_in, said));
  second.Say(Post(10));
  ASSERT_TRUE(Reaches(row().counters.bytes_in, said += Post(10).size()));
  // The first one's body goes on, so it is not late.
  while (second.Silent() && first.Say("b")) Reaches(row().counters.bytes_in, ++said);
  Answer answer = second.Hear();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.fields["connection"], "close");
}

TEST_F(LimitsTest, ABodyThatStallsMakesWayForThoseThatWait) {
  options_.body_memory = 100'000;
  Raise<Actor>();
  Client stalled = Connect(), next = Connect();
  stalled.Say(Post(100'000) + "b");
  ASSERT_TRUE(Reaches(row().counters.bytes_in, Post(100'000).size() + 1));
  next.Say(Post(5) + "hello");
  EXPECT_EQ(next.Hear().body, "hello");
  EXPECT_EQ(stalled.Hear().status, 408);
}

TEST_F(LimitsTest, WhoWaitsAndLeavesIsForgotten) {
  options_.body_memory = 100'000;
  Raise<Actor>();
  Client first = Connect(), second = Connect(), third = Connect();
  first.Say(Post(100'000));
  ASSERT_TRUE(Reaches(row().counters.bytes_in, Post(100'000).size()));
  second.Say(Post(100'000));
  ASSERT_TRUE(Reaches(row().counters.bytes_in, 2 * Post(100'000).size()));
  third.Say(Post(5) + "hello");
  second.Reset();
  ASSERT_TRUE(Reaches(row().counters.closed, 1));
  first.Say(std::string(100'000, 'b'));
  EXPECT_EQ(first.Hear().body.size(), 100'000u);
  EXPECT_EQ(third.Hear().body, "hello");
}

// Turns.

TEST_F(LimitsTest, WhoAsksForMuchAtOneTimeLeavesTurnsToOthers) {
  Raise<Counter>();
  constexpr int kGreedy = 20, kDepth = 64;
  std::vector<Client> greedy;
  for (int i = 0; i < kGreedy; ++i) {
    greedy.push_back(Connect());
    ASSERT_EQ(greedy.back().Get("/big").status, 200);
  }
  Client modest = Connect();
  ASSERT_EQ(modest.Get("/count").body, absl::StrCat(kGreedy));
  std::string pipeline;
  for (int i = 0; i < kDepth; ++i) pipeline += "GET /big HTTP/1.1\r\nHost: t\r\n\r\n";
  Signal(SIGSTOP);  // all of it comes in one turn, the modest one's last
  for (Client& client : greedy) client.Say(pipeline);
  modest.Say("GET /count HTTP/1.1\r\nHost: t\r\n\r\n");
  Signal(SIGCONT);
  EXPECT_LT(std::atoi(modest.Hear().body.c_str()), kGreedy + kGreedy * kDepth / 2);
  for (Client& client : greedy) {
    for (int i = 0; i < kDepth; ++i) ASSERT_EQ(client.Hear().body.size(), 30'000u) << i;
  }
}

TEST_F(LimitsTest, AlsoFilesLeaveTurnsToOthersAndArriveWhole) {
  const std::string path = folder_ + "/file";
  const std::string contents(700'001, 'f');
  std::ofstream(path) << contents;
  Raise<Actor>();
  std::vector<Client> clients;
  const std::string ask =
      absl::StrCat("GET /file?", path, ",0,700001 HTTP/1.1\r\nHost: t\r\n\r\n", kHello);
  for (int i = 0; i < 40; ++i) {
    clients.push_back(Connect());
    clients.back().Say(ask + ask);
  }
  for (Client& client : clients) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(client.Hear().body == contents);
      ASSERT_EQ(client.Hear().body, "hello");
    }
  }
}

}  // namespace
}  // namespace uc::worker
