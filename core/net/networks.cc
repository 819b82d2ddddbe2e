#include "core/net/networks.h"

#include <arpa/inet.h>
#include <string.h>

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::net {
namespace {

constexpr int kBits = 128;
constexpr int kMappedBits = 96;  // ::ffff:0:0/96

in6_addr Mapped(const in_addr& ipv4) {
  in6_addr mapped = {};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  memcpy(&mapped.s6_addr[12], &ipv4, sizeof(ipv4));
  return mapped;
}

std::optional<in6_addr> AsIpv6(const Address& address) {
  if (address.family() == AF_INET6) {
    sockaddr_in6 ipv6;
    memcpy(&ipv6, address.get(), sizeof(ipv6));
    return ipv6.sin6_addr;
  }
  if (address.family() != AF_INET) return std::nullopt;
  sockaddr_in ipv4;
  memcpy(&ipv4, address.get(), sizeof(ipv4));
  return Mapped(ipv4.sin_addr);
}

in6_addr Prefix(in6_addr address, int bits) {
  for (int at = 0; at < 16; ++at) {
    const int left = std::clamp(bits - at * 8, 0, 8);
    address.s6_addr[at] &= static_cast<uint8_t>(0xff00 >> left);
  }
  return address;
}

bool Same(const in6_addr& a, const in6_addr& b) { return memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace

absl::StatusOr<Networks::Network> Networks::ParseOne(absl::string_view text) {
  const auto wrong = [text](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 60),
                                                   "' is no network: ", what,
                                                   "; examples: 10.0.0.0/8, 192.0.2.7, fd00::/8"));
  };
  const size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  if (host.find('\0') != std::string::npos) return wrong("not an IP address");
  Network network;
  in_addr ipv4;
  int family_bits = kBits;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) {
    network.address = Mapped(ipv4);
    family_bits = kBits - kMappedBits;
  } else if (inet_pton(AF_INET6, host.c_str(), &network.address) != 1) {
    return wrong("not an IP address");
  }
  int bits = family_bits;
  if (slash != absl::string_view::npos) {
    const absl::string_view length = text.substr(slash + 1);
    const bool digits = !length.empty() && length.find_first_not_of("0123456789") == length.npos;
    if (!digits || !absl::SimpleAtoi(length, &bits) || bits > family_bits) {
      return wrong(absl::StrCat("behind '/' stands a number of bits, 0 to ", family_bits));
    }
  }
  network.bits = bits + kBits - family_bits;
  if (!Same(Prefix(network.address, network.bits), network.address)) {
    return wrong(absl::StrCat("bits are set behind the first ", bits));
  }
  return network;
}

absl::StatusOr<Networks> Networks::Parse(absl::Span<const std::string> texts) {
  Networks networks;
  for (const std::string& text : texts) {
    const absl::StatusOr<Network> network = ParseOne(text);
    if (!network.ok()) return network.status();
    networks.networks_.push_back(*network);
  }
  return networks;
}

bool Networks::Contain(const Address& address) const {
  const std::optional<in6_addr> ip = AsIpv6(address);
  if (!ip.has_value()) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return Same(Prefix(*ip, network.bits), network.address);
  });
}

}  // namespace uc::net
