// What a client of HTTP/1.1 gets from a worker.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

const char kHello[] = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";

class HttpTest : public Stage {};

TEST_F(HttpTest, OneConnectionCarriesManyRequests) {
  Raise<Actor>();
  Client client = Connect();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_TRUE(Reaches(row().counters.requests, 100));
  EXPECT_EQ(Totals().accepted, 1u);
}

TEST_F(HttpTest, AnswersCarryTheDateAndTheirLength) {
  Raise<Actor>();
  Answer answer = Connect().Get("/hello");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields["content-length"], "5");
  EXPECT_EQ(answer.fields["date"].size(), 29u);
  EXPECT_EQ(answer.fields.count("connection"), 0u);
}

class PipelineTest : public HttpTest, public testing::WithParamInterface<int> {};

TEST_P(PipelineTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  Raise<Actor>();
  Client client = Connect();
  std::string requests;
  for (int i = 0; i < GetParam(); ++i) {
    absl::StrAppend(&requests,
                    "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: ", std::to_string(i).size(),
                    "\r\n\r\n", i);
  }
  ASSERT_TRUE(client.Say(requests));
  for (int i = 0; i < GetParam(); ++i) ASSERT_EQ(client.Hear().body, std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Depths, PipelineTest, testing::Values(16, 1000, 20'000));

TEST_F(HttpTest, PipelinedLargeAnswersToASlowReaderAllArrive) {
  Raise<Actor>();
  Client client = Connect({.receive_buffer_bytes = 4096});
  std::string requests;
  for (int i = 0; i < 2000; ++i) {
    absl::StrAppend(&requests, "GET /size?20000 HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  const size_t said = client.SayWhatFits(requests);
  const size_t whole = said / (requests.size() / 2000);
  for (size_t i = 0; i < whole; ++i) ASSERT_EQ(client.Hear().body.size(), 20'000u) << i;
}

TEST_F(HttpTest, AnUploadBehindLargeAnswersIsReadWhenTheyAreSent) {
  options_.body_timeout = absl::Seconds(3);
  Raise<Actor>();
  Client client = Connect({.receive_buffer_bytes = 4096});
  std::string requests;
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&requests, "GET /size?300000 HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  const std::string body(900'000, 'b');
  absl::StrAppend(&requests, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\n",
                  body);
  const size_t said = client.SayWhatFits(requests);
  for (int i = 0; i < 40; ++i) ASSERT_EQ(client.Hear().body.size(), 300'000u) << i;
  ASSERT_TRUE(client.Say(std::string_view(requests).substr(said)));
  EXPECT_EQ(client.Hear().body.size(), 900'000u);
}

TEST_F(HttpTest, ARequestCutAtEveryByteIsTheSameRequest) {
  Raise<Actor>();
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
  Client client = Connect();
  for (size_t cut = 1; cut < request.size(); ++cut) {
    const uint64_t taken = Totals().bytes_in;
    ASSERT_TRUE(client.Say(std::string_view(request).substr(0, cut)));
    ASSERT_TRUE(Reaches(row().counters.bytes_in, taken + cut));
    ASSERT_TRUE(client.Say(std::string_view(request).substr(cut)));
    ASSERT_EQ(client.Hear().body, "abcdefg") << cut;
  }
}

TEST_F(HttpTest, HeadIsMeasuredAndNotSent) {
  Raise<Actor>();
  Client client = Connect();
  for (const char* path : {"/hello", "/size?5", "/known?5"}) {
    client.Say(absl::StrCat("HEAD ", path, " HTTP/1.1\r\nHost: test\r\n\r\n"));
    Answer answer = client.Hear(Client::Body::kHeadOnly);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.fields["content-length"], "5") << path;
  }
  EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(HttpTest, Http10EndsAfterItsAnswerUnlessItAsksToStay) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.Hear().fields["connection"], "keep-alive");
  client.Say("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Hear().fields["connection"], "close");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(HttpTest, StreamToHttp10EndsWithTheConnection) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /stream?100000 HTTP/1.0\r\n\r\n");
  const std::string all = client.HearAll();
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 100'000u);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(HttpTest, ConnectionCloseIsHonoured) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Hear().fields["connection"], "close");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  EXPECT_TRUE(Reaches(row().counters.closed, 1));
}

// Nobody lingers for a client that has said that it ends: its answer arrives all the same, however slowly it reads.
TEST_F(HttpTest, WhoEndsAfterItsRequestGetsItsWholeAnswerAndAnEnd) {
  Raise<Actor>();
  Client client = Connect({.receive_buffer_bytes = 4'096});
  EXPECT_TRUE(client.Say("GET /size?900000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(client.Hear().body.size(), 900'000u);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(HttpTest, WhoEndsAfterALaterRequestGetsAnEndToo) {
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_TRUE(client.Say("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

// What a client sends against its word, and behind a body, is read and dropped: else it would get a reset in place
// of its answer.
TEST_F(HttpTest, MoreThanWasPromisedIsNoReset) {
  Raise<Actor>();
  for (const char* request : {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore",
                              "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                              "Connection: close\r\n\r\nhello\r\n"}) {
    Client client = Connect();
    EXPECT_TRUE(client.Say(request));
    EXPECT_EQ(client.Hear().body, "hello");
    EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  }
}

TEST_F(HttpTest, AFirstRequestMayComeInPiecesAndAfterAPause) {
  Raise<Actor>();
  Client client = Connect();
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  EXPECT_TRUE(client.Say("GET /hello HTTP/1.1\r\n"));
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
  EXPECT_TRUE(client.Say("Host: a\r\n\r\n"));
  EXPECT_EQ(client.Hear().body, "hello");
}

TEST_F(HttpTest, AFirstRequestMayBeLargerThanWhatIsReadAtOnce) {
  Raise<Actor>();
  Client client = Connect();
  const std::string body(100'000, 'b');
  EXPECT_TRUE(
      client.Say("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body));
  EXPECT_EQ(client.Hear().body, body);
  EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(HttpTest, RequestsBehindOneThatTakesTimeAreAnsweredToWhoHasEndedItsSending) {
  Raise<Actor>();
  for (const char* const first : {"/defer?50", "/stream?100000", "/size?3000000", "/hello"}) {
    Client client = Connect();
    client.Say(absl::StrCat("GET ", first, " HTTP/1.1\r\nHost: test\r\n\r\n", kHello, kHello));
    client.EndSending();
    EXPECT_EQ(client.Hear().status, 200) << first;
    EXPECT_EQ(client.Hear().body, "hello") << first;
    EXPECT_EQ(client.Hear().body, "hello") << first;
    EXPECT_EQ(client.AwaitEnd(), Ending::kFin) << first;
  }
}

TEST_F(HttpTest, WhoEndsItsSendingStillGetsAllAnswers) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(kHello, kHello, "GET /defer?50 HTTP/1.1\r\nHost: test\r\n\r\n"));
  client.EndSending();
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_EQ(client.Hear().body, "/defer");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(HttpTest, StreamedAnswersArrive) {
  Raise<Actor>();
  Client client = Connect();
  for (const int size : {0, 1, 16 * 1024, 3'000'000}) {
    EXPECT_EQ(client.Get(absl::StrCat("/stream?", size)).body.size(), static_cast<size_t>(size));
    EXPECT_EQ(client.Get(absl::StrCat("/known?", size)).body.size(), static_cast<size_t>(size));
  }
}

TEST_F(HttpTest, ASlowReaderOfALargeStreamCostsNoMemory) {
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").status, 200);
  const size_t before = Memory();
  Client client = Connect({.receive_buffer_bytes = 4096});
  client.Say("GET /known?50000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(Reaches(row().counters.bytes_out, 100'000));
  EXPECT_EQ(client.HearBytes(1'000'000).size(), 1'000'000u);
  EXPECT_LT(Memory(), before + kMemoryScale * 8'000'000);
  EXPECT_EQ(Connect().Get("/hello").body, "hello") << "others are served meanwhile";
}

TEST_F(HttpTest, AStreamWithoutEndLeavesTurnsToOthers) {
  options_.send_timeout = absl::Seconds(60);
  Raise<Actor>();
  Client glutton = Connect();
  glutton.Say("GET /known?30000000000 HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(glutton.HearBytes(50'000'000).size(), 50'000'000u);
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(HttpTest, AnAppThatNeverLooksWhetherAnybodyReadsCostsItsConnectionOnly) {
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").status, 200);
  const size_t before = Memory();
  Client client = Connect({.receive_buffer_bytes = 4096});
  client.Say("GET /flood?500 HTTP/1.1\r\nHost: test\r\n\r\n");
  client.AwaitEnd();
  EXPECT_LT(Memory(), before + kMemoryScale * 100'000'000);
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(HttpTest, LargeAnswersByValueDoNotStayInMemory) {
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").status, 200);
  const size_t before = Memory();
  Client client = Connect();
  EXPECT_EQ(client.Get("/size?40000000").body.size(), 40'000'000u);
  EXPECT_EQ(client.Get("/hello").body, "hello");
  EXPECT_LT(Memory(), before + kMemoryScale * 8'000'000);
}

}  // namespace
}  // namespace uc::worker
