// Requests that are refused, too slow, or whose handler fails.
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

const char kHello[] = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";

class RefusalTest : public Stage {};

struct Refused {
  const char* claim;
  std::string request;
  int status;
};

class RefusedRequestTest : public Stage, public testing::WithParamInterface<Refused> {};

TEST_P(RefusedRequestTest, AnswerIsReadableThoughMoreIsSent) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(kHello, GetParam().request, std::string(500'000, 'x')));
  EXPECT_EQ(client.Hear().body, "hello") << "what came before is answered";
  Answer answer = client.Hear();
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(answer.fields["connection"], "close");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  EXPECT_EQ(Totals().bad_requests, 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, RefusedRequestTest,
    testing::Values(
        Refused{"Garbage", "\x16\x03\x01 what is this\r\n\r\n", 400},
        Refused{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Refused{"LengthAndChunked",
                "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: "
                "chunked\r\n\r\n",
                400},
        Refused{"LongTarget", absl::StrCat("GET /", std::string(9000, 'a'), " HTTP/1.1\r\n"), 414},
        Refused{"LargeHead",
                absl::StrCat("GET / HTTP/1.1\r\nHost: t\r\nA: ", std::string(40'000, 'a')), 431},
        Refused{"UnknownCoding",
                "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Refused{"OtherVersion", "GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505}),
    [](const auto& info) { return info.param.claim; });

TEST_F(RefusalTest, AHeadThatIsNeverCompleteIs408) {
  options_.header_timeout = absl::Milliseconds(300);
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /hello HTTP/1.1\r\nHost:");
  EXPECT_EQ(client.Hear().status, 408);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(RefusalTest, BytesThatTrickleDoNotProlongAHead) {
  options_.header_timeout = absl::Milliseconds(500);
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /hello HTTP/1.1\r\nHost: ");
  uint64_t said = Totals().bytes_in;
  while (client.Silent() && client.Say("a")) Reaches(row().counters.bytes_in, ++said);
  EXPECT_EQ(client.Hear().status, 408);
}

TEST_F(RefusalTest, EachHeadHasItsOwnTime) {
  options_.header_timeout = absl::Milliseconds(500);
  Raise<Actor>();
  Client client = Connect();
  const std::string hello = kHello;
  client.Say(hello.substr(0, 10));
  // Every read ends in the middle of a head, for far longer than one head may take.
  const absl::Time end = MonotonicNow() + absl::Milliseconds(1500);
  while (MonotonicNow() < end) {
    client.Say(hello.substr(10) + hello.substr(0, 10));
    ASSERT_EQ(client.Hear().status, 200);
  }
}

TEST_F(RefusalTest, WhoStaysIdleIsLeftWithoutAWord) {
  options_.idle_timeout = absl::Milliseconds(300);
  options_.heartbeat_period = absl::Milliseconds(50);
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_EQ(client.HearAll(), "");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(RefusalTest, WhoDoesNotReadIsLeft) {
  options_.send_timeout = absl::Milliseconds(500);
  Raise<Actor>();
  Client client = Connect({.receive_buffer_bytes = 4096});
  client.Say("GET /size?50000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(Reaches(row().counters.closed, 1));
}

TEST_F(RefusalTest, WhoReadsSlowlyIsNotLeft) {
  options_.send_timeout = absl::Milliseconds(500);
  Raise<Actor>();
  Client client = Connect({.receive_buffer_bytes = 4096});
  client.Say("GET /size?12000000 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  const absl::Time begin = MonotonicNow();
  std::string head = client.HearBytes(200);
  uint64_t sent = 0;
  // Reads on whenever the worker has seen the room that was made: progress, but never much of it.
  for (size_t heard = head.size(); heard < 12'000'000;) {
    const std::string piece = client.HearBytes(100'000);
    ASSERT_FALSE(piece.empty()) << heard;
    heard += piece.size();
    sent = Totals().bytes_out;
  }
  EXPECT_GE(sent, 12'000'000u);
  EXPECT_GT(MonotonicNow(), begin);
}

// The app fails.

TEST_F(RefusalTest, AHandlerThatThrowsCostsItsRequestOnly) {
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/throw").status, 500);
  EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_TRUE(Reaches(row().counters.responses_5xx, 1));
}

TEST_F(RefusalTest, AHandlerThatThrowsLateDoesNotTakeEarlierAnswersBack) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(kHello, "GET /throw-late HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.Hear().status, 0) << "begun and never completed";
  EXPECT_NE(client.AwaitEnd(), Ending::kOpen);
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(RefusalTest, ABrokenPromiseDoesNotTakeEarlierAnswersBack) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(kHello, "GET /short HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.Hear().status, 0);
}

TEST_F(RefusalTest, AHandlerWithoutAnAnswerIs500) {
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/silent").status, 500);
  EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(RefusalTest, AnAnswerThatNeverComesIs504) {
  options_.request_timeout = absl::Milliseconds(300);
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/never").status, 504);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(RefusalTest, AnAnswerThatComesTooLateFindsNobody) {
  options_.request_timeout = absl::Milliseconds(300);
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/defer?900").status, 504);
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "gone");
}

TEST_F(RefusalTest, AnAnswerForAClientThatLeftFindsNobody) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /defer?300 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(Reaches(row().counters.bytes_in, 1));
  client.Reset();
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "abort");
  EXPECT_EQ(Noted(), "gone");
  EXPECT_EQ(row().in_flight.load(), 0u);
}

TEST_F(RefusalTest, AStreamWhoseReaderLeftIsAborted) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /stream?500000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.HearBytes(100'000).size(), 100'000u);
  client.Reset();
  EXPECT_EQ(Noted(), "start");
  EXPECT_EQ(Noted(), "abort");
}

TEST_F(RefusalTest, WorkOfAnotherThreadAnswers) {
  Raise<Actor>();
  Client client = Connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Get("/post").body, "posted");
}

TEST_F(RefusalTest, RequestsBehindADeferredOneWaitForIt) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat("GET /defer?200 HTTP/1.1\r\nHost: test\r\n\r\n", kHello, kHello));
  EXPECT_EQ(client.Hear().body, "/defer");
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(RefusalTest, BehindADeferredOneOnlySoMuchIsRead) {
  Raise<Actor>();
  Client client = Connect();
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += kHello;
  client.Say("GET /defer?1500 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(Reaches(row().counters.bytes_in, 1));
  EXPECT_EQ(Noted(), "start");
  const size_t before = Memory();
  const size_t said = client.SayWhatFits(many);
  EXPECT_LT(said, many.size());
  EXPECT_LT(Memory(), before + kMemoryScale * 5'000'000);
  EXPECT_EQ(client.Hear().body, "/defer");
  for (size_t i = 0; i < said / (sizeof(kHello) - 1); ++i) ASSERT_EQ(client.Hear().body, "hello");
}

}  // namespace
}  // namespace uc::worker
