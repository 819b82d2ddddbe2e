// Networks: which addresses are in which, and what is no network.
#include "core/net/networks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace uc::net {
namespace {

bool Contains(const std::vector<std::string>& texts, absl::string_view address) {
  const absl::StatusOr<Networks> networks = Networks::Parse(texts);
  EXPECT_TRUE(networks.ok()) << networks.status();
  const absl::StatusOr<Address> parsed = Address::Parse(address);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return networks.ok() && parsed.ok() && networks->Contain(*parsed);
}

TEST(NetworksTest, NoneContainsNothing) { EXPECT_FALSE(Contains({}, "127.0.0.1:1")); }

TEST(NetworksTest, ANetworkContainsWhatHasItsFirstBits) {
  for (const char* in : {"10.0.0.0:1", "10.255.255.255:1", "10.1.2.3:65535"}) {
    EXPECT_TRUE(Contains({"10.0.0.0/8"}, in)) << in;
  }
  for (const char* out : {"9.255.255.255:1", "11.0.0.0:1", "[::10.0.0.1]:1", "[a00::]:1"}) {
    EXPECT_FALSE(Contains({"10.0.0.0/8"}, out)) << out;
  }
  EXPECT_TRUE(Contains({"172.16.0.0/12"}, "172.31.255.255:1"));
  EXPECT_FALSE(Contains({"172.16.0.0/12"}, "172.32.0.0:1"));
  EXPECT_TRUE(Contains({"fd00::/8"}, "[fdff::1]:1"));
  EXPECT_FALSE(Contains({"fd00::/8"}, "[fe00::1]:1"));
  EXPECT_TRUE(Contains({"2001:db8::/33"}, "[2001:db8:7fff::1]:1"));
  EXPECT_FALSE(Contains({"2001:db8::/33"}, "[2001:db8:8000::1]:1"));
}

TEST(NetworksTest, AnAddressAloneIsItself) {
  EXPECT_TRUE(Contains({"192.0.2.7"}, "192.0.2.7:1"));
  EXPECT_FALSE(Contains({"192.0.2.7"}, "192.0.2.6:1"));
  EXPECT_TRUE(Contains({"192.0.2.7", "::1"}, "[::1]:1"));
  EXPECT_FALSE(Contains({"192.0.2.7", "::1"}, "[::2]:1"));
}

TEST(NetworksTest, NoBitsAreAllAddressesOfTheFamily) {
  EXPECT_TRUE(Contains({"0.0.0.0/0"}, "203.0.113.9:1"));
  EXPECT_FALSE(Contains({"0.0.0.0/0"}, "[2001:db8::1]:1"));
  EXPECT_TRUE(Contains({"::/0"}, "[2001:db8::1]:1"));
}

TEST(NetworksTest, AMappedAddressIsTheIpv4One) {
  EXPECT_TRUE(Contains({"10.0.0.0/8"}, "[::ffff:10.1.2.3]:1"));
  EXPECT_TRUE(Contains({"::ffff:10.0.0.0/104"}, "10.1.2.3:1"));
}

TEST(NetworksTest, WhatIsNoNetworkIsNamed) {
  for (const char* bad :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x",
        "10.0.0/8", "10.0.0.1/8", "fd00::1/8", "::/129", "localhost", "10.0.0.0/8/8", "[::1]",
        "10.0.0.1:80", "10.0.0.0/99999999999999999999"}) {
    const absl::Status status = Networks::Parse({"::1", bad}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
    EXPECT_TRUE(absl::StrContains(status.message(), bad)) << status;
  }
}

}  // namespace
}  // namespace uc::net
