#include "core/net/address.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::net {
namespace {

using testing::HasSubstr;

std::string Parsed(absl::string_view text) {
  const absl::StatusOr<Address> address = Address::Parse(text);
  return address.ok() ? address->ToString() : std::string(address.status().message());
}

void ExpectRefused(const std::string& text, const std::string& because) {
  const absl::Status status = Address::Parse(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(std::string(status.message()), HasSubstr(because));
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:8080")) << "no example";
}

TEST(AddressTest, Ipv4WithPortIsTaken) {
  EXPECT_EQ(Parsed("127.0.0.1:8080"), "127.0.0.1:8080");
  EXPECT_EQ(Parsed("255.255.255.255:65535"), "255.255.255.255:65535");
  EXPECT_EQ(Address::Parse("10.0.0.1:1")->family(), AF_INET);
}

TEST(AddressTest, Ipv6InBracketsIsTaken) {
  EXPECT_EQ(Parsed("[::1]:8080"), "[::1]:8080");
  EXPECT_EQ(Parsed("[::]:80"), "[::]:80");
  EXPECT_EQ(Parsed("[2001:DB8:0:0::1]:1"), "[2001:db8::1]:1");
  EXPECT_EQ(Address::Parse("[::1]:1")->family(), AF_INET6);
}

TEST(AddressTest, ShortFormsMeanAllIpv4Interfaces) {
  for (const char* text : {":8080", "8080", "*:8080"}) EXPECT_EQ(Parsed(text), "0.0.0.0:8080");
}

TEST(AddressTest, LocalhostIsTheIpv4Loopback) {
  EXPECT_EQ(Parsed("localhost:8080"), "127.0.0.1:8080");
}

TEST(AddressTest, PortZeroIsAllowed) {
  EXPECT_EQ(Address::Parse("127.0.0.1:0")->port(), 0);
  EXPECT_EQ(Address::Parse("[::1]:0")->port(), 0);
}

TEST(AddressTest, WrongPortsAreRefused) {
  for (const char* port : {"", "65536", "99999", "123456", "-1", "+80", "80x", "0x50", " 80", "80 ",
                           "http", "8.0", "4294967376"}) {
    ExpectRefused(absl::StrCat("127.0.0.1:", port), "port");
    ExpectRefused(absl::StrCat("[::1]:", port), "port");
  }
}

TEST(AddressTest, WrongHostsAreRefused) {
  for (const char* host : {"256.0.0.1", "1.2.3", "1.2.3.4.5", "example.org", " 127.0.0.1", "**",
                           "LOCALHOST", "::1", "a:b"}) {
    ExpectRefused(absl::StrCat(host, ":8080"), "no address");
  }
}

TEST(AddressTest, NamesAreNotLookedUpAndTheTextSaysSo) {
  ExpectRefused("example.org:80", "names are not looked up");
}

TEST(AddressTest, Ipv6WithoutBracketsIsToldAboutBrackets) {
  ExpectRefused("::1:8080", "needs brackets");
}

TEST(AddressTest, BrokenBracketsAreRefused) {
  ExpectRefused("[::1:8080", "']' is missing");
  ExpectRefused("[::1]", "the port is missing");
  ExpectRefused("[::1]8080", "the port is missing");
  ExpectRefused("[127.0.0.1]:80", "not IPv6");
  ExpectRefused("[]:80", "not IPv6");
}

TEST(AddressTest, EmptyTextAndNulBytesAreRefused) {
  ExpectRefused("", "port");
  ExpectRefused(":", "port");
  ExpectRefused(std::string("127.0.0.1:80\0", 13), "NUL byte");
}

TEST(AddressTest, NulByteInTheHostIsRefused) {
  ExpectRefused(std::string("127.0.0.1\0x:80", 14), "NUL byte");
}

TEST(AddressTest, TextRoundTrips) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:1"}) {
    EXPECT_EQ(*Address::Parse(Parsed(text)), *Address::Parse(text));
  }
}

TEST(AddressTest, SockaddrRoundTrips) {
  for (const char* text : {"127.0.0.1:8080", "[2001:db8::1]:443"}) {
    const Address address = *Address::Parse(text);
    EXPECT_EQ(Address::FromSockaddr(address.get(), address.size()), address);
  }
}

TEST(AddressTest, ALinkLocalAddressHasItsInterface) {
  const unsigned lo = if_nametoindex("lo");
  ASSERT_NE(lo, 0u);
  const Address address = *Address::Parse("[fe80::1%lo]:80");
  EXPECT_EQ(address.scope(), lo);
  EXPECT_TRUE(address.is_link_local());
  EXPECT_EQ(address.ToString(), "[fe80::1%lo]:80");
  EXPECT_EQ(address.ToHost(), "[fe80::1]:80");
  EXPECT_EQ(*Address::Parse(absl::StrCat("[fe80::1%", lo, "]:80")), address);
  EXPECT_EQ(Address::FromSockaddr(address.get(), address.size()), address);
  EXPECT_FALSE(address == *Address::Parse("[fe80::1]:80"));
  EXPECT_EQ(Parsed("[fe80::1%4000000]:80"), "[fe80::1%4000000]:80") << "a number without a name";
}

TEST(AddressTest, OtherAddressesHaveNoScopeAsForTheKernel) {
  EXPECT_EQ(Parsed("[::1%lo]:80"), "[::1]:80");
  sockaddr_in6 in6;
  const Address loopback = *Address::Parse("[::1]:80");
  memcpy(&in6, loopback.get(), sizeof(in6));
  in6.sin6_scope_id = 1;
  in6.sin6_flowinfo = htonl(7);
  EXPECT_EQ(Address::FromSockaddr(reinterpret_cast<const sockaddr*>(&in6), sizeof(in6)), loopback);
}

TEST(AddressTest, WrongScopesAreRefused) {
  for (const char* scope : {"", "no-such-one", "0", "-1", "4294967296", "lo%lo"}) {
    ExpectRefused(absl::StrCat("[fe80::1%", scope, "]:80"), "no interface");
  }
  ExpectRefused("[%lo]:80", "not IPv6");
}

TEST(AddressTest, Ipv4InIpv6IsTold) {
  EXPECT_TRUE(Address::Parse("[::ffff:127.0.0.1]:80")->is_mapped());
  EXPECT_FALSE(Address::Parse("[::1]:80")->is_mapped());
  EXPECT_FALSE(Address::Parse("127.0.0.1:80")->is_mapped());
}

TEST(AddressTest, PortIsInNetworkOrderForTheKernel) {
  const Address address = *Address::Parse("1.2.3.4:258");
  sockaddr_in in4;
  memcpy(&in4, address.get(), sizeof(in4));
  EXPECT_EQ(in4.sin_port, htons(258));
  EXPECT_EQ(in4.sin_addr.s_addr, htonl(0x01020304));
  EXPECT_EQ(address.size(), sizeof(in4));
}

TEST(AddressTest, AddressesDifferByHostPortAndFamily) {
  const Address address = *Address::Parse("127.0.0.1:80");
  EXPECT_TRUE(address == *Address::Parse("localhost:80"));
  for (const char* other : {"127.0.0.2:80", "127.0.0.1:81", "[::1]:80"}) {
    EXPECT_FALSE(address == *Address::Parse(other));
  }
}

TEST(AddressTest, NoAddressIsUnknown) {
  EXPECT_EQ(Address().ToString(), "unknown");
  EXPECT_EQ(Address().port(), 0);
}

}  // namespace
}  // namespace uc::net
