// Expect: 100-continue: the server says whether it wants the body.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

using testing::HasSubstr;
using testing::Not;
using worker::Answer;
using worker::Ending;

const char kExpects[] =
    "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
const char kContinue[] = "HTTP/1.1 100 Continue\r\nX-Own: 1\r\n\r\n";

class ContinueTest : public FrontStage {
 protected:
  // No test waits for that to be over, but one.
  ContinueTest() { options_.continue_timeout = absl::Seconds(60); }
};

TEST_F(ContinueTest, TheServersWordIsTheClients) {
  RaiseFront();
  Client client = Connect();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client.Say(kExpects));
    Peer peer = server_.Accept();
    EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nExpect: 100-continue\r\n"));
    EXPECT_TRUE(client.Silent());
    ASSERT_TRUE(peer.Say(kContinue));
    Answer interim = client.Hear();
    EXPECT_EQ(interim.status, 100);
    EXPECT_EQ(interim.fields["x-own"], "1");
    ASSERT_TRUE(client.Say("ab"));
    EXPECT_EQ(peer.HearBytes(2), "ab");
    ASSERT_TRUE(peer.Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"));
    Answer answer = client.Hear();
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.fields.count("connection"), 0u);
  }
}

TEST_F(ContinueTest, AnAnswerWithoutTheBodyIsTheAnswer) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kExpects);
  ASSERT_TRUE(peer.Say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"));
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.fields["connection"], "close");  // the body may come, or may not
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  EXPECT_NE(peer.AwaitEnd(), Ending::kOpen);  // nor can the server tell
}

TEST_F(ContinueTest, AServerThatSaysNothingGetsTheBodyAfterAWhile) {
  options_.continue_timeout = absl::Milliseconds(100);
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(client, kExpects);
  EXPECT_EQ(client.Hear().status, 100);
  ASSERT_TRUE(client.Say("ab"));
  EXPECT_EQ(peer.HearBytes(2), "ab");
  ASSERT_TRUE(peer.Say(absl::StrCat(kContinue, kHello)));  // late: it has been said
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.count("connection"), 0u);
}

TEST_F(ContinueTest, AClientThatDoesNotWaitIsNotWaitedFor) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say(absl::StrCat(kExpects, "ab")));
  Peer peer = server_.Accept();
  ASSERT_NE(peer.HearHead(), "");
  EXPECT_EQ(peer.HearBytes(2), "ab");
  ASSERT_TRUE(peer.Say(absl::StrCat(kContinue, kHello)));
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.count("connection"), 0u);
}

TEST_F(ContinueTest, WhoHasNotAskedIsNotTold) {
  RaiseFront();
  Client client = Connect();
  // Too large to be waited for before the server is asked.
  const std::string body(100'000, 'a');
  Peer peer = Ask(client, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
  ASSERT_TRUE(peer.Say(kContinue));
  ASSERT_TRUE(client.Say(body));
  EXPECT_EQ(peer.HearBytes(body.size()), body);
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().status, 200);
}

TEST_F(ContinueTest, AChunkedBodyWaitsAsWell) {
  RaiseFront();
  Client client = Connect();
  Peer peer = Ask(
      client,
      "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(peer.Say(kContinue));
  EXPECT_EQ(client.Hear().status, 100);
  ASSERT_TRUE(client.Say("1\r\na\r\n0\r\n\r\n"));
  EXPECT_EQ(peer.HearBytes(11), "1\r\na\r\n0\r\n\r\n");
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().status, 200);
}

TEST_F(ContinueTest, AServerThatEndsBeforeItsWordCostsTheRequest) {
  RaiseFront();
  Client client = Connect();
  { Peer peer = Ask(client, kExpects); }
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.fields["connection"], "close");
  EXPECT_TRUE(server_.Alone());
}

TEST_F(ContinueTest, WhoWaitsForAPlaceIsNotToldToSendABody) {
  in_flight_max_ = 1;
  options_.continue_timeout = absl::Milliseconds(100);
  RaiseFront();
  Client first = Connect();
  Peer peer = Ask(first, kGet);
  Client client = Connect();
  ASSERT_TRUE(client.Say(kExpects));
  EXPECT_TRUE(ReachesInFlight(2));
  EXPECT_TRUE(BeatsAfter(300'000'000));
  EXPECT_TRUE(client.Silent());
  ASSERT_TRUE(peer.Say(kHello));
  EXPECT_EQ(first.Hear().body, "hello");
  EXPECT_THAT(peer.HearHead(), HasSubstr("\r\nExpect: 100-continue\r\n"));
  ASSERT_TRUE(peer.Say(kContinue));
  EXPECT_EQ(client.Hear().status, 100);
}

TEST_F(ContinueTest, AnOldClientsExpectationIsNone) {
  RaiseFront();
  Client client = Connect();
  ASSERT_TRUE(client.Say("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"));
  Peer peer = server_.Accept();
  EXPECT_THAT(peer.HearHead(), Not(HasSubstr("Expect")));
  EXPECT_EQ(peer.HearBytes(2), "ab");
}

}  // namespace
}  // namespace uc::front
