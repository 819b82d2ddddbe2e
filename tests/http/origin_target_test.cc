// OriginTarget: the four forms of a target on their way to the server behind a gateway.
#include "core/http/origin_target.h"

#include <gtest/gtest.h>

#include <string>

namespace uc::http {
namespace {

// "host|target"; "-" for the Host field's.
std::string Of(absl::string_view method, absl::string_view target) {
  const OriginTarget to = ToOriginTarget(method, target);
  return (to.host.data() == nullptr ? "-" : std::string(to.host)) + "|" + std::string(to.slash) +
         std::string(to.rest);
}

TEST(OriginTargetTest, OriginAndAsteriskFormStayAsTheyAre) {
  EXPECT_EQ(Of("GET", "/"), "-|/");
  EXPECT_EQ(Of("GET", "/http://a/b?c"), "-|/http://a/b?c");
  EXPECT_EQ(Of("OPTIONS", "*"), "-|*");
}

TEST(OriginTargetTest, AnAbsoluteFormIsAHostAndAPath) {
  EXPECT_EQ(Of("GET", "http://a/b?c"), "a|/b?c");
  EXPECT_EQ(Of("GET", "http://a:80/"), "a:80|/");
  EXPECT_EQ(Of("GET", "https://[::1]:8/b//c"), "[::1]:8|/b//c");
  EXPECT_EQ(Of("GET", "http://a/http://b/@c"), "a|/http://b/@c");
}

TEST(OriginTargetTest, AMissingPathIsTheRoot) {
  EXPECT_EQ(Of("GET", "http://a"), "a|/");
  EXPECT_EQ(Of("GET", "http://a?b/c"), "a|/?b/c");
  EXPECT_EQ(Of("OPTIONS", "http://a?b"), "a|/?b");
}

TEST(OriginTargetTest, OptionsWithoutAPathIsAboutTheServer) {
  EXPECT_EQ(Of("OPTIONS", "http://a"), "a|*");
  EXPECT_EQ(Of("OPTIONS", "http://a/"), "a|/");
}

TEST(OriginTargetTest, ANameBeforeTheHostIsNobodysHere) {
  EXPECT_EQ(Of("GET", "http://u:p@a:1/b"), "a:1|/b");
}

TEST(OriginTargetTest, TheTargetOfConnectIsTheHost) {
  EXPECT_EQ(Of("CONNECT", "a:443"), "a:443|a:443");
}

}  // namespace
}  // namespace uc::http
