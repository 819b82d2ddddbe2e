// How a worker leaves: nothing that was asked goes unanswered.
#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/app/echo.h"
#include "core/net/listener.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

using link::DrainKind;

class DrainTest : public Stage {
 protected:
  // Taken by the worker: a connection that only waits in the kernel is another matter.
  Client IdleClient() {
    Client client = Connect();
    EXPECT_EQ(client.Get("/hello").body, "hello");
    return client;
  }
  Client BusyClient(int milliseconds) {
    Client client = Connect();
    const uint64_t taken = Totals().bytes_in;
    client.Say(absl::StrCat("GET /defer?", milliseconds, " HTTP/1.1\r\nHost: test\r\n\r\n"));
    EXPECT_TRUE(Reaches(row().counters.bytes_in, taken + 1));
    return client;
  }
};

class EachDrainTest : public DrainTest, public testing::WithParamInterface<DrainKind> {};

TEST_P(EachDrainTest, AnIdleWorkerLeavesAtOnceThroughItsHooks) {
  Raise<Actor>();
  Drain(GetParam(), absl::Seconds(10));
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "drain");
  EXPECT_EQ(Noted(), "stop");
}

TEST_P(EachDrainTest, RequestsInFlightAreAnswered) {
  Raise<Actor>();
  Client client = BusyClient(400);
  Drain(GetParam(), absl::Seconds(10));
  Answer answer = client.Hear();
  EXPECT_EQ(answer.body, "/defer");
  EXPECT_EQ(answer.fields["connection"], "close");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_P(EachDrainTest, ARequestThatIsHereAlreadyIsAnswered) {
  Raise<Actor>();
  Client client = IdleClient();
  // Stopped, so that the request and the drain wait for it side by side.
  Signal(SIGSTOP);
  client.Say("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  Drain(GetParam(), absl::Seconds(2));
  Signal(SIGCONT);
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_P(EachDrainTest, WhoStaysIdleIsLetGoInTime) {
  Raise<Actor>();
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(IdleClient());
  Drain(GetParam(), absl::Seconds(1));
  for (Client& client : clients) {
    EXPECT_EQ(client.HearAll(), "");
    EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
    client.EndSending();
  }
  EXPECT_EQ(AwaitExit(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachDrainTest,
                         testing::Values(DrainKind::kHandOver, DrainKind::kPrompt));

TEST_F(DrainTest, WithoutHeirsAnIdleConnectionMaySendOneMoreRequest) {
  Raise<Actor>();
  Client client = IdleClient();
  Drain(DrainKind::kHandOver, absl::Seconds(10));
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "drain");
  Answer answer = client.Get("/hello");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.fields["connection"], "close");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

// On SIGTERM without a coordinator the worker's may be the last descriptor of its listener.
TEST_F(DrainTest, AnOrphanServesWhatWaitsInTheQueueBeforeItLeaves) {
  Raise<Actor>();
  LoseCoordinator();
  Signal(SIGSTOP);
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(Connect());
    clients.back().Say("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  bound_.clear();
  Signal(SIGTERM);
  Signal(SIGCONT);
  for (Client& client : clients) EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(DrainTest, HandOverLeavesTheQueueToTheSuccessor) {
  Raise<Actor>();
  Signal(SIGSTOP);
  Client client = Connect();
  Drain(DrainKind::kHandOver, absl::Seconds(10));
  Signal(SIGCONT);
  EXPECT_EQ(AwaitExit(), 0);
  inherited_.push_back(std::move(bound_[0]));
  bound_.clear();
  Raise<Actor>();
  EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(DrainTest, APromptDrainOvertakesAPatientOne) {
  Raise<Actor>();
  Client client = IdleClient();
  Drain(DrainKind::kHandOver, absl::Hours(1));
  Drain(DrainKind::kPrompt, absl::Seconds(5));
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(DrainTest, TheFirstSignalDuringADrainDoesNotCutRequestsOff) {
  Raise<Actor>();
  Client client = BusyClient(500);
  Drain(DrainKind::kPrompt, absl::Seconds(10));
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "drain");
  Signal(SIGINT);  // a terminal's Ctrl-C goes to the workers too
  EXPECT_EQ(client.Hear().body, "/defer");
}

TEST_F(DrainTest, OneSignalIsAPromptDrainAndTheSecondTheEnd) {
  Raise<Actor>();
  Client busy = BusyClient(60'000);
  Client idle = IdleClient();
  Signal(SIGTERM);
  EXPECT_EQ(idle.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(busy.Silent());
  Signal(SIGTERM);
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(DrainTest, SignalsOfTheCoordinatorMeanNothingToAWorker) {
  Raise<Actor>();
  for (const int signal : {SIGHUP, SIGUSR1, SIGQUIT, SIGTTIN, SIGTTOU, SIGPIPE}) Signal(signal);
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(DrainTest, StreamsAreLeftAloneUntilTheTimeIsNearlyOver) {
  Raise<app::Echo>();
  Client client = Connect();
  client.Say("one");
  EXPECT_EQ(client.HearBytes(3), "one");
  Drain(DrainKind::kHandOver, absl::Seconds(2));
  client.Say("two");
  EXPECT_EQ(client.HearBytes(3), "two");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(DrainTest, APromptDrainEndsStreamsAfterWhatIsQueued) {
  Raise<app::Echo>();
  Client client = Connect();
  client.Say("one");
  EXPECT_EQ(client.HearBytes(3), "one");
  Drain(DrainKind::kPrompt, absl::Seconds(10));
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(DrainTest, TheAddressIsFreeWhenTheWorkerHasLeft) {
  Raise<Actor>();
  Client client = IdleClient();
  bound_.clear();
  Drain(DrainKind::kHandOver, absl::Seconds(10));
  EXPECT_EQ(client.Get("/hello").status, 200);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_FALSE(Connect().connected());
}

}  // namespace
}  // namespace uc::worker
