// Raw TCP: apps that speak their own protocol.
#include <signal.h>

#include <string>
#include <thread>

#include "core/app/echo.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

class TcpTest : public Stage {};

TEST_F(TcpTest, TenMegabytesGoBothWays) {
  Raise<app::Echo>();
  Client client = Connect();
  const std::string bytes(10'000'000, 'e');
  std::thread sender([&] {
    client.Say(bytes);
    client.EndSending();
  });
  EXPECT_TRUE(client.HearBytes(bytes.size()) == bytes);
  sender.join();
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(TcpTest, WhoDoesNotReadIsNotReadFrom) {
  Raise<app::Echo>();
  EXPECT_TRUE(Connect().Say("x"));
  EXPECT_TRUE(Reaches(row().counters.bytes_in, 1));
  const size_t before = Memory();
  Client client = Connect({.receive_buffer_bytes = 4096});
  const std::string bytes(100'000'000, 'e');
  const size_t said = client.SayWhatFits(bytes);
  EXPECT_LT(said, 30'000'000u);
  EXPECT_LT(Memory(), before + kMemoryScale * 5'000'000);
  client.EndSending();
  EXPECT_EQ(client.HearAll().size(), said) << "what was taken comes back, also after the FIN";
}

TEST_F(TcpTest, TheServerMaySpeakFirstAndEnd) {
  Raise<Talker>();
  Client client = Connect();
  EXPECT_EQ(client.HearBytes(8), "welcome\n");
  client.Say("bye");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.EndSending();
  EXPECT_EQ(Noted(), "open");
  EXPECT_EQ(Noted(), "close");
}

TEST_F(TcpTest, TheEndOfThePeerIsToldOnce) {
  Raise<Talker>();
  Client client = Connect();
  client.EndSending();
  EXPECT_EQ(client.HearAll(), "welcome\n");
  EXPECT_EQ(Noted(), "open");
  EXPECT_EQ(Noted(), "end");
  EXPECT_EQ(Noted(), "close");
}

TEST_F(TcpTest, AResetIsTheEnd) {
  Raise<Talker>();
  Client client = Connect();
  EXPECT_EQ(client.HearBytes(8), "welcome\n");
  client.Reset();
  EXPECT_EQ(Noted(), "open");
  EXPECT_EQ(Noted(), "close");
}

TEST_F(TcpTest, AThrowingCallbackCostsItsConnectionOnly) {
  Raise<Talker>();
  Client client = Connect();
  EXPECT_EQ(client.HearBytes(8), "welcome\n");
  Client other = Connect();
  EXPECT_EQ(other.HearBytes(8), "welcome\n");
  client.Say("throw");
  EXPECT_NE(client.AwaitEnd(), Ending::kOpen);
  other.Say("still here");
  EXPECT_EQ(other.HearBytes(10), "still here");
}

TEST_F(TcpTest, AnAppThatAlwaysWritesLeavesTurnsToOthers) {
  Raise<Fountain>();
  Client first = Connect();
  std::thread reader([&] { EXPECT_EQ(first.HearBytes(500'000'000).size(), 500'000'000u); });
  Client second = Connect();
  EXPECT_EQ(second.HearBytes(50'000'000).size(), 50'000'000u);
  reader.join();
}

TEST_F(TcpTest, StreamsAreToldOfTheEndWhenTheWorkerLeavesAtOnce) {
  Raise<Fountain>();
  Client client = Connect();
  EXPECT_EQ(client.HearBytes(100).size(), 100u);
  Signal(SIGTERM);
  EXPECT_TRUE(Reaches(row().counters.bytes_out, 1));
  Drain(link::DrainKind::kPrompt, absl::Seconds(1));
  client.Reset();
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_EQ(Noted(), "close");
}

}  // namespace
}  // namespace uc::worker
