#include "core/http/ascii_target.h"

#include <gtest/gtest.h>

namespace uc::http {
namespace {

TEST(AsciiTargetTest, OnlyBytesBeyondAsciiAreEncoded) {
  EXPECT_EQ(AsciiTarget("/a%20b?c=<d>"), "/a%20b?c=<d>");
  EXPECT_EQ(AsciiTarget("/\xc3\xa9?\x80\xff"), "/%C3%A9?%80%FF");
  EXPECT_EQ(AsciiTarget(""), "");
}

}  // namespace
}  // namespace uc::http
