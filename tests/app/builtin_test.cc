// hello and echo.
#include "core/app/echo.h"
#include "core/app/hello.h"
#include "gtest/gtest.h"
#include "tests/app/fakes.h"

namespace uc::app {
namespace {

FakeExchange Ask(const char* method, const char* target) {
  Hello hello;
  FakeExchange exchange(method, target);
  hello.Handle(exchange);
  return exchange;
}

TEST(HelloTest, AnswersGetAndHeadOfAnyPath) {
  for (const char* method : {"GET", "HEAD"}) {
    for (const char* target : {"/", "/any/thing?x", "*"}) {
      const FakeExchange answer = Ask(method, target);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body, "Hello from uring-cluster\n");
      EXPECT_EQ(answer.content_type, "text/plain");
    }
  }
}

TEST(HelloTest, OtherMethodsAreNotAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""}) {
    const FakeExchange answer = Ask(method, "/");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD");
    EXPECT_EQ(answer.answers, 1);
  }
}

TEST(EchoTest, EverythingComesBackInOrder) {
  Echo echo;
  FakeStream stream(100);
  echo.OnOpen(stream);
  echo.OnBytes(stream, "abc");
  echo.OnBytes(stream, std::string_view("\0\xff", 2));
  EXPECT_EQ(stream.Drain(), std::string("abc\0\xff", 5));
  EXPECT_FALSE(stream.paused);
}

TEST(EchoTest, APeerThatDoesNotReadIsNotReadFrom) {
  Echo echo;
  FakeStream stream(4);
  echo.OnBytes(stream, "abc");
  EXPECT_FALSE(stream.paused);
  echo.OnBytes(stream, "def");
  EXPECT_TRUE(stream.paused);
  EXPECT_EQ(stream.Drain(), "abcdef");
  echo.OnWritable(stream);
  EXPECT_FALSE(stream.paused);
}

TEST(EchoTest, AfterTheFinTheRestIsSentAndThenClosed) {
  Echo echo;
  FakeStream stream(4);
  echo.OnBytes(stream, "abcdef");
  echo.OnEnd(stream);
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(stream.Drain(), "abcdef");
}

TEST(EchoTest, IsRawTcp) { EXPECT_EQ(Echo().options().protocol, Protocol::kTcp); }

}  // namespace
}  // namespace uc::app
