// Bodies of requests: taken whole, taken in pieces, not taken at all.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

std::string Post(std::string_view path, size_t size) {
  return absl::StrCat("POST ", absl::string_view(path.data(), path.size()),
                      " HTTP/1.1\r\nHost: test\r\nContent-Length: ", size, "\r\n\r\n");
}

std::string PostChunked(std::string_view path) {
  return absl::StrCat("POST ", absl::string_view(path.data(), path.size()),
                      " HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
}

std::string Chunk(const std::string& bytes) {
  return absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n");
}

class BodyTest : public Stage {};

TEST_F(BodyTest, AWholeBodyReachesTheHandler) {
  Raise<Actor>();
  Client client = Connect();
  const std::string body(1'000'000, 'b');
  client.Say(Post("/echo", body.size()));
  client.Say(body);
  EXPECT_EQ(client.Hear().body, body);
}

TEST_F(BodyTest, ChunksAreJoined) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(PostChunked("/echo"));
  for (int i = 0; i < 100; ++i) client.Say(Chunk(std::string(1000, 'c')));
  client.Say("0\r\n\r\n");
  EXPECT_EQ(client.Hear().body, std::string(100'000, 'c'));
}

TEST_F(BodyTest, ADeferredHandlerReadsItsRequestAnew) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/defer?20", 4), "body"));
  EXPECT_EQ(client.Hear().body, "/defer");
}

TEST_F(BodyTest, ContinueComesBeforeTheBodyIsRead) {
  Raise<Actor>();
  Client client = Connect();
  client.Say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Hear().status, 100);
  client.Say("body");
  EXPECT_EQ(client.Hear().body, "body");
}

TEST_F(BodyTest, ContinueComesForStreamedBodiesToo) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(
      "POST /count HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Hear().status, 100);
  client.Say("body");
  EXPECT_EQ(client.Hear().body, "4");
}

TEST_F(BodyTest, WhoeverIsAnsweredAtOnceGetsNoContinue) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(
      "POST /early HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  Answer answer = client.Hear();
  EXPECT_EQ(answer.body, "early");
  EXPECT_EQ(answer.fields["connection"], "close") << "the body may come or not";
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, StreamedBodiesAreCounted) {
  Raise<Taker>();
  Client client = Connect();
  for (const size_t size : {size_t{1}, size_t{100'000}, size_t{20'000'000}}) {
    client.Say(Post("/count", size));
    client.Say(std::string(size, 'b'));
    EXPECT_EQ(client.Hear().body, std::to_string(size));
  }
  EXPECT_EQ(client.Get("/count").body, "0");
}

TEST_F(BodyTest, ASmallBodyThatNobodyReadsDoesNotEndTheConnection) {
  Raise<Taker>();
  Client client = Connect();
  for (const char* path : {"/early", "/unread"}) {
    client.Say(absl::StrCat(Post(path, 1000), std::string(1000, 'b')));
    EXPECT_EQ(client.Hear().body, path + 1);
  }
  EXPECT_EQ(client.Get("/count").body, "0");
}

TEST_F(BodyTest, ALargeBodyThatNobodyReadsEndsTheConnectionAfterTheAnswer) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(Post("/early", 20'000'000));
  EXPECT_EQ(client.Hear().body, "early");
  client.Say(std::string(4'000'000, 'b'));
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, APausedBodyStopsTheClientUntilItIsResumed) {
  Raise<Taker>();
  EXPECT_EQ(Connect().Get("/count").body, "0");
  const size_t before = Memory();
  Client client = Connect();
  const std::string body(50'000'000, 'b');
  client.Say(Post("/pause", body.size()));
  const size_t said = client.SayWhatFits(body);
  EXPECT_LT(said, 20'000'000u) << "kernel buffers only";
  EXPECT_LT(Memory(), before + kMemoryScale * 5'000'000);
  EXPECT_EQ(Connect().Get("/resume").body, "resumed");
  EXPECT_TRUE(client.Say(std::string_view(body).substr(said)));
  EXPECT_EQ(client.Hear().body, std::to_string(body.size()));
}

TEST_F(BodyTest, ACallbackMayReplaceItselfWhileItRuns) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/rebind", 4), "body"));
  EXPECT_EQ(client.Hear().body, "second");
}

TEST_F(BodyTest, ABrokenPromiseWithinACallbackCostsItsConnection) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/short", 4), "body"));
  EXPECT_EQ(client.Hear().status, 0);
  EXPECT_EQ(Connect().Get("/count").body, "0");
}

TEST_F(BodyTest, AThrowingBodyCallbackCostsItsRequestOnly) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/throw", 4), "body"));
  EXPECT_EQ(client.Hear().status, 500);
  EXPECT_EQ(client.Get("/count").body, "0");
}

TEST_F(BodyTest, TakingABodyAndNotAnsweringIs500) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/mute", 4), "body"));
  EXPECT_EQ(client.Hear().status, 500);
}

// Refused: the answer must be readable although the client goes on sending.

TEST_F(BodyTest, TooLargeByItsLengthIs413) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/echo", 5'000'000), std::string(3'000'000, 'b')));
  EXPECT_EQ(client.Hear().status, 413);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
  EXPECT_EQ(Totals().bad_requests, 1u);
}

TEST_F(BodyTest, TooLargeByItsLengthIs413InsteadOfContinue) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5000000\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(client.Hear().status, 413);
}

TEST_F(BodyTest, TooLargeInChunksIs413) {
  Raise<Actor>();
  Client client = Connect();
  client.Say(PostChunked("/echo"));
  for (int i = 0; i < 30; ++i) client.Say(Chunk(std::string(100'000, 'c')));
  EXPECT_EQ(client.Hear().status, 413);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, TooLargeInChunksIs413ForStreamedBodiesToo) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(PostChunked("/count"));
  const std::string chunk = Chunk(std::string(1'000'000, 'c'));
  for (int i = 0; i < 70; ++i) client.Say(chunk);
  EXPECT_EQ(client.Hear().status, 413);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, ABadChunkIs400ForStreamedBodiesToo) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(PostChunked("/count"), Chunk("good"), "zz\r\n\r\n"));
  EXPECT_EQ(client.Hear().status, 400);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, ABadChunkBehindAnAnswerDoesNotTakeTheAnswerBack) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(PostChunked("/early"), "zz\r\n\r\n"));
  EXPECT_EQ(client.Hear().body, "early");
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, ABodyThatStopsComingIs408) {
  options_.body_timeout = absl::Milliseconds(300);
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/echo", 10), "half"));
  EXPECT_EQ(client.Hear().status, 408);
  EXPECT_EQ(client.AwaitEnd(), Ending::kFin);
}

TEST_F(BodyTest, ABodyThatStopsComingIs408ForStreamedBodiesToo) {
  options_.body_timeout = absl::Milliseconds(300);
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/count", 10), "half"));
  EXPECT_EQ(client.Hear().status, 408);
}

TEST_F(BodyTest, WhoLeavesInTheMiddleOfABodyIsForgotten) {
  Raise<Taker>();
  Client client = Connect();
  client.Say(absl::StrCat(Post("/count", 10), "half"));
  client.EndSending();
  client.AwaitEnd();
  EXPECT_TRUE(Reaches(row().counters.closed, 1));
}

}  // namespace
}  // namespace uc::worker
