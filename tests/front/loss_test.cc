// What becomes of a request when the server is busy, away, or ends.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using worker::Answer;
using worker::Ending;

const char kPost[] = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx";

class LossTest : public FrontStage {
 protected:
  // The next request is heard, and its connection ends.
  void HearAndEnd() {
    Peer peer = server_.Accept();
    EXPECT_NE(peer.HearHead(), "");
  }
  void HearAndAnswer(Peer& peer) {
    EXPECT_NE(peer.HearHead(), "");
    EXPECT_TRUE(peer.Say(kHello));
  }
};

TEST_F(LossTest, ASafeRequestIsAskedAgain) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  HearAndEnd();
  HearAndEnd();
  Peer peer = server_.Accept();
  HearAndAnswer(peer);
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(LossTest, ASafeRequestIsAskedThreeTimes) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  for (int i = 0; i < 3; ++i) HearAndEnd();
  EXPECT_EQ(client.Hear().status, 502);
  EXPECT_TRUE(server_.Alone());
}

TEST_F(LossTest, WhatMayNotBeSentTwiceIs502) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kPost));
  HearAndEnd();
  EXPECT_EQ(client.Hear().status, 502);
  EXPECT_TRUE(server_.Alone());
}

TEST_F(LossTest, AnAnswerThatHasBegunIsNotAskedForAgain) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(kGet));
  {
    Peer peer = server_.Accept();
    peer.HearHead();
    ASSERT_TRUE(peer.Say("HTTP/1.1 200"));
  }
  EXPECT_EQ(client.Hear().status, 502);
  EXPECT_TRUE(server_.Alone());
}

TEST_F(LossTest, AKeptConnectionThatTheServerClosesCostsNothing) {
  RaiseFront();
  Client client = Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.Say(i % 2 == 0 ? kGet : kPost));
    Peer peer = server_.Accept();
    HearAndAnswer(peer);
    ASSERT_EQ(client.Hear().body, "hello") << i;
  }  // each connection ends here, and the front may not have heard of it
}

TEST_F(LossTest, RequestsWaitForAServerThatIsAway) {
  RaiseFront();
  server_.Leave();
  Client client = Connect();
  Client other = Connect();
  ASSERT_TRUE(client.Say(kGet));
  ASSERT_TRUE(other.Say(kPost));
  ASSERT_TRUE(ReachesInFlight(2));
  server_.Return();
  for (int i = 0; i < 2; ++i) {
    Peer peer = server_.Accept();
    HearAndAnswer(peer);
  }
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(other.Hear().body, "hello");
}

TEST_F(LossTest, WhoHasWaitedTooLongIsTold503) {
  wait_max_ = absl::Milliseconds(300);
  RaiseFront();
  server_.Leave();
  Client client = Connect();
  Answer answer = client.Get("/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.fields["retry-after"], "1");
  ASSERT_TRUE(client.Say(kPost));
  EXPECT_EQ(client.Hear().status, 503);  // the connection is kept
}

TEST_F(LossTest, TheServerHasOnlySoManyAtOneTime) {
  in_flight_max_ = 1;
  RaiseFront();
  Client first = Connect();
  Client second = Connect();
  Peer peer = Ask(first, kGet);
  ASSERT_TRUE(second.Say(kGet));
  ASSERT_TRUE(ReachesInFlight(2));
  EXPECT_TRUE(server_.Alone());
  EXPECT_TRUE(peer.Silent());
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(first.Hear().body, "hello");
  HearAndAnswer(peer);
  EXPECT_EQ(second.Hear().body, "hello");
}

TEST_F(LossTest, WhoFindsTheQueueFullIsTold503AtOnce) {
  in_flight_max_ = 1;
  waiting_max_ = 1;
  RaiseFront();
  Client first = Connect();
  Client second = Connect();
  Peer peer = Ask(first, kGet);
  ASSERT_TRUE(second.Say(kGet));
  ASSERT_TRUE(ReachesInFlight(2));
  EXPECT_EQ(Connect().Get("/").status, 503);
  ASSERT_TRUE(peer.Say(kHello));
  HearAndAnswer(peer);
  EXPECT_EQ(second.Hear().body, "hello");
}

TEST_F(LossTest, AServerThatEndsAConnectionMakesAPlace) {
  in_flight_max_ = 1;
  RaiseFront();
  Client first = Connect();
  Client second = Connect();
  ASSERT_TRUE(first.Say(kPost));
  {
    Peer peer = server_.Accept();
    ASSERT_NE(peer.HearHead(), "");
    ASSERT_TRUE(second.Say(kGet));
    ASSERT_TRUE(ReachesInFlight(2));
  }
  EXPECT_EQ(first.Hear().status, 502);
  Peer peer = server_.Accept();
  HearAndAnswer(peer);
  EXPECT_EQ(second.Hear().body, "hello");
}

TEST_F(LossTest, TheServerLearnsThatTheClientHasGone) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  client.Reset();
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
}

TEST_F(LossTest, AnAnswerThatTakesTooLongIs504) {
  options_.request_timeout = absl::Milliseconds(300);
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  EXPECT_EQ(client.Hear().status, 504);
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
}

TEST_F(LossTest, AnUploadThatStopsIs408AndTheServerLearnsIt) {
  options_.body_timeout = absl::Milliseconds(300);
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\nabc");
  EXPECT_EQ(client.Hear().status, 408);
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);
}

TEST_F(LossTest, ConnectionsThatNobodyUsesAreClosed) {
  RaiseFront();
  Client client = Connect();
  Peer peer = ServeOnce(client);
  EXPECT_EQ(peer.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(client.Silent());
}

TEST_F(LossTest, ADrainWaitsForTheServersAnswer) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kGet);
  Drain(link::DrainKind::kPrompt, absl::Seconds(20));
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  client.Reset();
  EXPECT_EQ(AwaitExit(), 0);
}

}  // namespace
}  // namespace uc::front
