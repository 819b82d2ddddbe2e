#include "core/exec/preload/site_name.h"

#include <arpa/inet.h>

#include <string>

#include "core/net/address.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

// What getsockname(2) gives for a socket that was bound to this path; the address that it stands for, "" if to none.
std::string StandsFor(const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, path.data(), path.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  sockaddr_storage address;
  const socklen_t found = ReadSiteName(reinterpret_cast<sockaddr*>(&name), size, &address);
  if (found == 0) return "";
  return net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&address), found).ToString();
}

std::string NameOf(const std::string& text) {
  const net::Address address = net::Address::Parse(text).value();
  char name[kSiteNameBytes] = {};
  WriteSiteName(address.get(), name);
  return name;
}

TEST(SiteNameTest, AddressesComeBack) {
  for (const char* text :
       {"127.0.0.1:3000", "0.0.0.0:65535", "[::]:80", "[2001:db8::ff]:1", "[fe80::1%lo]:80"}) {
    EXPECT_EQ(StandsFor("/proc/self/fd/17/" + NameOf(text)), text);
  }
}

TEST(SiteNameTest, LongestNameFitsIntoAPathOfASocket) {
  EXPECT_LT(NameOf("[2001:db8::ff]:65535").size() + sizeof("/proc/self/fd/1048576/"),
            sizeof(sockaddr_un::sun_path));
}

TEST(SiteNameTest, OtherSocketsStandForNothing) {
  const std::string good = NameOf("127.0.0.1:3000");
  EXPECT_EQ(StandsFor("/run/app.sock"), "");
  EXPECT_EQ(StandsFor(good), "") << "not below a folder";
  EXPECT_EQ(StandsFor("/x/" + good + "0"), "");
  EXPECT_EQ(StandsFor("/x/" + good.substr(0, good.size() - 1)), "");
  EXPECT_EQ(StandsFor("/x/" + good.substr(0, good.size() - 1) + "g"), "");
  EXPECT_EQ(StandsFor(""), "");
  EXPECT_EQ(StandsFor(std::string(1, '\0') + "abstract/" + good), "");
}

}  // namespace
}  // namespace uc::exec
