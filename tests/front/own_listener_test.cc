// Where a program listens whose sockets nobody sees.
#include "core/front/own_listener.h"

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "core/exec/launch_options.h"
#include "core/net/address.h"
#include "core/net/listener.h"
#include "gtest/gtest.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

OwnListener Of(const exec::LaunchOptions& options, uint32_t slot = 3, uint32_t generation = 7) {
  return OwnListener::Of(options, slot, generation).value();
}

Fd Listen(const std::string& text) {
  const net::Address address = net::Address::Parse(text).value();
  Fd listener = net::Bind(address, {}).value();
  EXPECT_TRUE(net::StartListening(listener, address, {}).ok());
  return listener;
}

TEST(OwnListenerTest, APortIsFreeAndBelowThoseOfOutgoingConnections) {
  std::set<uint16_t> ports;
  for (int i = 0; i < 20; ++i) {
    const OwnListener own = Of({});
    EXPECT_GE(own.port(), 10000);
    EXPECT_EQ(own.Find(), nullptr);
    EXPECT_TRUE(own.words().empty());
    ports.insert(own.port());
  }
  EXPECT_GT(ports.size(), 10u);
}

TEST(OwnListenerTest, ItIsFoundOnceItListensWhicheverAddressItTakes) {
  for (const char* const host : {"127.0.0.1", "0.0.0.0", "[::1]", "[::]"}) {
    const OwnListener own = Of({});
    const Fd listener = Listen(absl::StrCat(host, ":", own.port()));
    ASSERT_NE(own.Find(), nullptr) << host;
    EXPECT_TRUE(own.Find()->Connect().ok()) << host;
  }
}

TEST(OwnListenerTest, APortThatIsSaidIsTaken) {
  exec::LaunchOptions options;
  options.program_port = 4711;
  EXPECT_EQ(Of(options).port(), 4711);
}

TEST(OwnListenerTest, UpstreamSaysWhereAndGivesWords) {
  exec::LaunchOptions options;
  options.upstream = "127.0.0.1:{port}";
  const OwnListener own = Of(options);
  EXPECT_EQ(own.words().at("{port}"), absl::StrCat(own.port()));
  EXPECT_EQ(own.words().at("{slot}"), "3");
  EXPECT_EQ(own.words().at("{generation}"), "7");
  EXPECT_EQ(own.text(), absl::StrCat("127.0.0.1:", own.port()));
  const Fd elsewhere = Listen(absl::StrCat("[::1]:", own.port()));
  EXPECT_EQ(own.Find(), nullptr);
  const Fd listener = Listen(own.text());
  EXPECT_NE(own.Find(), nullptr);
}

TEST(OwnListenerTest, AUnixSocketNeedsNoPort) {
  Upstream server;
  exec::LaunchOptions options;
  options.upstream = absl::StrCat("unix:", server.path(), "-{generation}");
  const OwnListener own = Of(options);
  EXPECT_EQ(own.port(), 0);
  EXPECT_EQ(own.text(), absl::StrCat("unix:", server.path(), "-7"));
  EXPECT_EQ(own.Find(), nullptr);
  options.upstream = absl::StrCat("unix:", server.path());
  EXPECT_NE(Of(options).Find(), nullptr);
}

TEST(OwnListenerTest, APlaceThatAllWouldShareIsRefused) {
  EXPECT_TRUE(CheckUpstream("127.0.0.1:{port}").ok());
  EXPECT_TRUE(CheckUpstream("[::1]:{port}").ok());
  EXPECT_TRUE(CheckUpstream("unix:/run/a-{slot}-{generation}.sock").ok());
  for (const char* const text : {"127.0.0.1:3000", "unix:/run/a-{slot}.sock", "", "{generation}"}) {
    const absl::Status status = CheckUpstream(text);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_TRUE(absl::StrContains(status.message(), "has to be in it")) << status;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(CheckUpstream("nowhere:{port}")));
}

}  // namespace
}  // namespace uc::front
