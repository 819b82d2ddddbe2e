// The fixture app does what the end-to-end tests believe it to do.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "core/app/load.h"
#include "gtest/gtest.h"
#include "tests/app/fakes.h"
#include "tests/app/tree.h"

namespace uc::app {
namespace {

class FixtureTest : public testing::Test {
 protected:
  FixtureTest() {
    setenv("UC_FIXTURE_DRAIN_LOG", tree_.Path("log").c_str(), 1);
    auto app = LoadApp("tests/app/fixtures/libfixture.so", {});
    EXPECT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    app_->Start(context_);
  }
  ~FixtureTest() override { app_->Stop(context_); }

  void Handle(FakeExchange& exchange) {
    context_.waiting = &exchange;
    app_->Handle(exchange);
  }
  std::string Get(const std::string& target) {
    FakeExchange exchange("GET", target);
    Handle(exchange);
    return exchange.body;
  }

  Tree tree_;
  FakeContext context_;
  std::unique_ptr<App> app_;
};

TEST_F(FixtureTest, SaysWhoItIs) {
  EXPECT_EQ(Get("/version"), "0\n");
  EXPECT_EQ(Get("/"), "fixture 0\n");
  EXPECT_EQ(Get("/pid"), std::to_string(getpid()) + " 3 7\n");
}

TEST_F(FixtureTest, ShowsTheRequest) {
  FakeExchange exchange("PUT", "/headers?x", {{"Host", "a"}, {"X-Y", "z"}});
  Handle(exchange);
  EXPECT_EQ(exchange.body, "PUT /headers?x HTTP/1.1\nHost: a\nX-Y: z\n");
}

TEST_F(FixtureTest, CountsAndSumsAnUpload) {
  FakeExchange exchange("POST", "/upload");
  Handle(exchange);
  exchange.on_body(exchange, "foo", false);
  exchange.on_body(exchange, "bar", false);
  EXPECT_EQ(exchange.answers, 0);
  exchange.on_body(exchange, "", true);
  EXPECT_EQ(exchange.body, "6 85944171f73967e8\n");  // FNV-1a's own test vector
}

TEST_F(FixtureTest, RestsBetweenPiecesIfAskedTo) {
  FakeExchange exchange("POST", "/upload?pause=1");
  Handle(exchange);
  exchange.on_body(exchange, "foo", false);
  EXPECT_TRUE(exchange.paused);
  ASSERT_TRUE(context_.RunPosted());
  EXPECT_FALSE(exchange.paused);
}

TEST_F(FixtureTest, GivesTheWholeBodyBack) {
  FakeExchange exchange("POST", "/echo");
  Handle(exchange);
  exchange.on_body(exchange, "foo", false);
  exchange.on_body(exchange, "bar", true);
  EXPECT_EQ(exchange.body, "foobar");
}

TEST_F(FixtureTest, StreamsWithBackPressure) {
  FakeExchange exchange("GET", "/stream?bytes=100000");
  Handle(exchange);
  EXPECT_LT(exchange.body.size(), 100'000u);
  while (exchange.BecomeWritable()) {
  }
  EXPECT_TRUE(exchange.ended);
  ASSERT_EQ(exchange.body.size(), 100'000u);
  EXPECT_EQ(exchange.body, Get("/big?bytes=100000"));
  EXPECT_EQ(exchange.body.substr(24, 4), "yzab");
}

TEST_F(FixtureTest, AnswersLaterFromAnotherThread) {
  FakeExchange exchange("GET", "/defer?ms=1");
  Handle(exchange);
  EXPECT_TRUE(exchange.deferred);
  EXPECT_EQ(exchange.answers, 0);
  ASSERT_TRUE(context_.RunPosted());
  EXPECT_EQ(exchange.body, "late /defer?ms=1\n");
}

TEST_F(FixtureTest, AnAnswerThatComesTooLateIsNone) {
  FakeExchange exchange("GET", "/after?ms=1");
  Handle(exchange);
  context_.waiting = nullptr;
  ASSERT_TRUE(context_.RunPosted());
  EXPECT_EQ(exchange.answers, 0);
}

TEST_F(FixtureTest, NeverAnswersAndCountsAborts) {
  FakeExchange exchange("GET", "/never");
  Handle(exchange);
  EXPECT_TRUE(exchange.deferred);
  exchange.on_abort();
  EXPECT_EQ(Get("/aborts"), "1\n");
}

TEST_F(FixtureTest, SendsAFile) {
  EXPECT_EQ(Get("/file?path=" + tree_.Write("f", "bytes")), "bytes");
}

TEST_F(FixtureTest, ThrowsOnRequest) {
  FakeExchange exchange("GET", "/throw");
  EXPECT_THROW(Handle(exchange), std::runtime_error);
  FakeExchange number("GET", "/throwint");
  EXPECT_THROW(Handle(number), int);
}

TEST_F(FixtureTest, NotesItsLife) {
  app_->Drain(context_);
  app_->Stop(context_);
  std::ifstream log(tree_.Path("log"));
  const std::string lines{std::istreambuf_iterator<char>(log), {}};
  EXPECT_EQ(lines, "start 3 7\ndrain 3 7\nstop 3 7\n");
}

TEST(GreeterTest, TheExampleGreets) {
  auto app = LoadApp("tools/examples/libgreeter.so", {});
  ASSERT_TRUE(app.ok()) << app.status();
  FakeContext context;
  (*app)->Start(context);
  FakeExchange exchange("GET", "/?Ada");
  (*app)->Handle(exchange);
  EXPECT_EQ(exchange.body, "Hello, Ada, from worker 3.\n");
}

}  // namespace
}  // namespace uc::app
