#include "core/http/message.h"

#include <gtest/gtest.h>

namespace uc::http {
namespace {

TEST(MessageTest, AFieldIsFoundByItsNameInAnyCase) {
  const Field fields[] = {{"Accept", "a"}, {"X-Empty", ""}, {"ACCEPT", "b"}};
  RequestHead head;
  head.fields = fields;
  EXPECT_EQ(head.field("accept"), "a") << "the first of that name";
  EXPECT_NE(head.field("x-empty").data(), nullptr);
  EXPECT_EQ(head.field("X-Missing").data(), nullptr);
  EXPECT_EQ(head.field("").data(), nullptr);
}

TEST(MessageTest, ReasonPhrasesAreThoseOfTheRegistry) {
  EXPECT_EQ(ReasonPhrase(100), "Continue");
  EXPECT_EQ(ReasonPhrase(200), "OK");
  EXPECT_EQ(ReasonPhrase(304), "Not Modified");
  EXPECT_EQ(ReasonPhrase(413), "Content Too Large");
  EXPECT_EQ(ReasonPhrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(ReasonPhrase(505), "HTTP Version Not Supported");
}

TEST(MessageTest, UnknownCodesHaveNoReasonPhrase) {
  for (int status : {-1, 0, 99, 299, 599, 600, 999, 1 << 30}) EXPECT_EQ(ReasonPhrase(status), "");
}

}  // namespace
}  // namespace uc::http
