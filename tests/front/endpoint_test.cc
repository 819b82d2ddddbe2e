// Where the server behind a front is.
#include "core/front/endpoint.h"

#include <fcntl.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/net/listener.h"
#include "gtest/gtest.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

std::string Error(absl::string_view text) {
  return std::string(Endpoint::Parse(text).status().message());
}

TEST(EndpointTest, AUnixSocketIsReached) {
  Upstream server;
  const Endpoint endpoint = Endpoint::Parse(absl::StrCat("unix:", server.path())).value();
  Peer here(endpoint.Connect().value());
  EXPECT_TRUE(here.Say("x"));
  EXPECT_EQ(server.Accept().HearBytes(1), "x");
}

TEST(EndpointTest, ADescriptorReachesASocketWhoseNameIsGone) {
  Upstream server;
  const Fd descriptor(open(server.path().c_str(), O_PATH | O_CLOEXEC));
  server.Leave();
  Peer here(Endpoint::OfDescriptor(descriptor.get()).Connect().value());
  EXPECT_TRUE(here.Say("x"));
  EXPECT_EQ(server.Accept().HearBytes(1), "x");
}

TEST(EndpointTest, NobodyAtAUnixPathIsSaidAtOnce) {
  const Endpoint endpoint = Endpoint::Parse("unix:/nonexistent/socket").value();
  EXPECT_TRUE(absl::IsUnavailable(endpoint.Connect().status()));
}

TEST(EndpointTest, NobodyAtATcpPortIsSaidAtOnce) {
  // Bound, and nobody listens.
  const Fd bound = net::Bind(net::Address::Parse("127.0.0.1:0").value(), {}).value();
  const std::string text = net::LocalAddress(bound).value().ToString();
  EXPECT_TRUE(absl::IsUnavailable(Endpoint::Parse(text).value().Connect().status()));
}

TEST(EndpointTest, ATcpServerIsReached) {
  const net::Address any = net::Address::Parse("127.0.0.1:0").value();
  const Fd bound = net::Bind(any, {}).value();
  ASSERT_TRUE(net::StartListening(bound, any, {}).ok());
  const std::string text = net::LocalAddress(bound).value().ToString();
  EXPECT_TRUE(Endpoint::Parse(text).value().Connect().ok());
}

TEST(EndpointTest, WhatIsNoServerIsRefused) {
  EXPECT_EQ(Error("127.0.0.1:0"), "127.0.0.1:0: the port of a server is not 0");
  EXPECT_EQ(Error("unix:"), "unix:: a path of 1 to 107 bytes");
  EXPECT_FALSE(Error(absl::StrCat("unix:/", std::string(107, 'x'))).empty());
  EXPECT_FALSE(Error("nonsense").empty());
}

}  // namespace
}  // namespace uc::front
