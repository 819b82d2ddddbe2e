// Which requests may be sent twice.
#include "core/front/retry.h"

#include <vector>

#include "gtest/gtest.h"

namespace uc::front {
namespace {

http::RequestHead Head(absl::string_view method) {
  http::RequestHead head;
  head.method = method;
  return head;
}

TEST(RetryTest, SafeMethodsWithoutABodyMayBeSentTwice) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE"}) {
    EXPECT_TRUE(IsRepeatable(Head(method))) << method;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "CONNECT", "get"}) {
    EXPECT_FALSE(IsRepeatable(Head(method))) << method;
  }
  http::RequestHead head = Head("GET");
  head.content_length = 0;
  EXPECT_TRUE(IsRepeatable(head));
  head.content_length = 1;
  EXPECT_FALSE(IsRepeatable(head));
  head = Head("GET");
  head.chunked = true;
  EXPECT_FALSE(IsRepeatable(head));
}

TEST(RetryTest, AChangeOfProtocolIsNotSentTwice) {
  const std::vector<http::Field> fields = {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}};
  http::RequestHead head = Head("GET");
  head.fields = fields;
  EXPECT_FALSE(IsRepeatable(head));
}

TEST(RetryTest, OnlyWhatHasNoAnswerAtAllIsSentAgain) {
  EXPECT_TRUE(MayTryAgain(Head("GET"), 1, Reached::kNothing));
  EXPECT_FALSE(MayTryAgain(Head("GET"), 1, Reached::kAnswering));
  EXPECT_FALSE(MayTryAgain(Head("POST"), 1, Reached::kNothing));
}

TEST(RetryTest, ARequestThatEndsTheServerIsSentThreeTimes) {
  EXPECT_TRUE(MayTryAgain(Head("GET"), 2, Reached::kNothing));
  EXPECT_FALSE(MayTryAgain(Head("GET"), 3, Reached::kNothing));
}

TEST(RetryTest, ASecondTryGoesOnANewConnection) {
  EXPECT_EQ(WantsOf(Head("GET"), 1), Wants::kAny);
  EXPECT_EQ(WantsOf(Head("POST"), 1), Wants::kFresh);
  EXPECT_EQ(WantsOf(Head("GET"), 2), Wants::kNew);
}

}  // namespace
}  // namespace uc::front
