// Birth and survival of a worker: assignment, refusals, a lost coordinator, lack of descriptors.
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/net/listener.h"
#include "gmock/gmock.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

using testing::HasSubstr;

class Unwilling : public app::App {
 public:
  void Start(app::Context&) override { throw std::runtime_error("no database at all"); }
};

class Capricious : public app::App {
 public:
  app::Options options() const override { throw std::runtime_error("not today"); }
};

class LifeTest : public Stage {
 protected:
  link::Refused CastInVain(const AppFactory& make_app) {
    const link::Message word = Cast(make_app);
    EXPECT_TRUE(std::holds_alternative<link::Refused>(word));
    EXPECT_EQ(AwaitExit(), 1);
    return std::holds_alternative<link::Refused>(word) ? std::get<link::Refused>(word)
                                                       : link::Refused();
  }
};

TEST_F(LifeTest, TheCoordinatorGetsTheListenersForTheSlotToKeep) {
  options_.addresses.push_back(net::Address::Parse("[::1]:0").value());
  Raise<Actor>();
  ASSERT_EQ(bound_.size(), 2u);
  for (const Fd& listener : bound_) {
    EXPECT_EQ(Client(net::LocalAddress(listener).value()).Get("/hello").body, "hello");
  }
}

TEST_F(LifeTest, InheritedListenersAreServedWithoutABind) {
  inherited_.push_back(net::Bind(options_.addresses[0], {}).value());
  Raise<Actor>();
  EXPECT_TRUE(bound_.empty());
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(LifeTest, AnAssignedAddressWinsOverTheCommandLine) {
  assigned_addresses_ = {"[::1]:0"};
  Raise<Actor>();
  EXPECT_EQ(address().family(), AF_INET6);
}

TEST_F(LifeTest, ALostCoordinatorChangesNothing) {
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/hello").body, "hello");
  LoseCoordinator();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(LifeTest, AnIdleWorkerBeats) {
  options_.heartbeat_period = absl::Milliseconds(20);
  Raise<Actor>();
  EXPECT_TRUE(BeatsAfter(row().heartbeat_ns.load() + 60'000'000));
}

TEST_F(LifeTest, CountersAgreeWithWhatHappened) {
  Raise<Actor>();
  Client client = Connect();
  for (int i = 0; i < 10; ++i) client.Get("/hello");
  client.EndSending();
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(Reaches(row().counters.closed, 1));
  const scoreboard::Totals totals = Totals();
  uint64_t measured = 0;
  for (const uint64_t bucket : totals.latency) measured += bucket;
  EXPECT_EQ(totals.requests, 10u);
  EXPECT_EQ(measured, 10u);
  EXPECT_EQ(totals.bytes_in, 10 * std::string("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n").size());
  EXPECT_GT(totals.bytes_out, 10u * 5u);
}

TEST_F(LifeTest, AtItsLimitAWorkerLeavesConnectionsInTheQueue) {
  options_.connections_max = 2;
  Raise<Actor>();
  Client first = Connect();
  Client second = Connect();
  // Both have a request under way: nobody makes way.
  first.Say("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
  second.Say("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(Reaches(row().counters.accepted, 2));
  Client third = Connect();
  third.Say("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(BeatsAfter(row().heartbeat_ns.load() + 1'000'000));
  EXPECT_TRUE(third.Silent());
  first.Reset();
  EXPECT_EQ(third.Hear().body, "hello");
  second.Reset();  // else the worker waits for its answer before it leaves
}

TEST_F(LifeTest, LackOfDescriptorsPasses) {
  // The limit by RLIMIT_NOFILE leaves a reserve: so the test takes the reserve away.
  descriptors_max_ = 200;
  const std::string path = folder_ + "/scoreboard";
  Raise([path]() -> absl::StatusOr<std::unique_ptr<app::App>> {
    for (int i = 0; i < 120; ++i) (void)open(path.c_str(), O_RDONLY);
    return std::make_unique<Actor>();
  });
  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(Connect());
    clients.back().Say("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  EXPECT_TRUE(Reaches(row().counters.accept_errors, 1));
  for (Client& client : clients) {
    EXPECT_EQ(client.Hear().body, "hello");
    client.Reset();
  }
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  EXPECT_LT(Totals().accept_errors, 100u) << "it looks again at a tick, not at once";
}

// Refusals.

TEST_F(LifeTest, AnAppThatThrowsInStartIsTheOperatorsAffair) {
  const link::Refused refused = CastInVain([] { return std::make_unique<Unwilling>(); });
  EXPECT_TRUE(refused.operator_fault);
  EXPECT_THAT(refused.reason, HasSubstr("no database at all"));
}

TEST_F(LifeTest, AnAppThatThrowsInOptionsIsTheOperatorsAffair) {
  const link::Refused refused = CastInVain([] { return std::make_unique<Capricious>(); });
  EXPECT_TRUE(refused.operator_fault);
  EXPECT_THAT(refused.reason, HasSubstr("not today"));
}

TEST_F(LifeTest, AnAppThatCannotBeMadeIsRefused) {
  const link::Refused refused = CastInVain([]() -> absl::StatusOr<std::unique_ptr<app::App>> {
    return absl::NotFoundError("no such app: x");
  });
  EXPECT_TRUE(refused.operator_fault);
  EXPECT_THAT(refused.reason, HasSubstr("no such app"));
}

TEST_F(LifeTest, APortInUseIsTheOperatorsAffairAndNamed) {
  const Fd foreign(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(foreign.get(), options_.addresses[0].get(), options_.addresses[0].size()), 0);
  ASSERT_EQ(listen(foreign.get(), 1), 0);
  const net::Address taken = net::LocalAddress(foreign).value();
  options_.addresses = {taken};
  const link::Refused refused = CastInVain([] { return std::make_unique<Actor>(); });
  EXPECT_TRUE(refused.operator_fault);
  EXPECT_THAT(refused.reason, HasSubstr(taken.ToString()));
}

TEST_F(LifeTest, TooFewDescriptorsAreSaid) {
  descriptors_max_ = 16;
  const link::Refused refused = CastInVain([]() -> absl::StatusOr<std::unique_ptr<app::App>> {
    int last = -1;
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;) last = fd;
    // Two are left: too few for a worker, and what UBSan's check of virtual calls needs (a pipe).
    close(last);
    close(last - 1);
    return std::make_unique<Actor>();
  });
  EXPECT_THAT(refused.reason, HasSubstr("ulimit -n"));
}

}  // namespace
}  // namespace uc::worker
