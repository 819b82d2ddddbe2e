#include "core/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <algorithm>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::net {
namespace {

absl::Status Wrong(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no address: ", what,
                                                 "; examples: 127.0.0.1:8080, [::1]:8080, :8080"));
}

sockaddr_in6 AsIpv6(const sockaddr_storage& storage) {
  sockaddr_in6 in6;
  memcpy(&in6, &storage, sizeof(in6));
  return in6;
}

// As getaddrinfo(3) reads it: the name of an interface, else a number.
std::optional<uint32_t> ParseScope(absl::string_view text) {
  const std::string name(text);
  if (const unsigned index = if_nametoindex(name.c_str()); index != 0) return index;
  uint32_t number = 0;
  const bool digits = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  if (digits && absl::SimpleAtoi(name, &number) && number != 0) return number;
  return std::nullopt;
}

// Lists of addresses are kept as text (scoreboard, claims): a name that could be taken for part of one is not used.
std::string ScopeText(uint32_t scope) {
  char name[IF_NAMESIZE];
  if (if_indextoname(scope, name) == nullptr) return absl::StrCat(scope);
  const bool plain = absl::c_all_of(absl::string_view(name), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  return plain ? std::string(name) : absl::StrCat(scope);
}

}  // namespace

absl::StatusOr<Address> Address::Parse(absl::string_view text) {
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        "an address with a NUL byte is none; example: 127.0.0.1:8080");
  }
  absl::string_view host;
  absl::string_view port_text = text;
  const size_t colon = text.rfind(':');
  if (absl::StartsWith(text, "[")) {
    const size_t bracket = text.find(']');
    if (bracket == absl::string_view::npos) return Wrong(text, "']' is missing");
    if (bracket + 1 >= text.size() || text[bracket + 1] != ':')
      return Wrong(text, "the port is missing");
    host = text.substr(1, bracket - 1);
    port_text = text.substr(bracket + 2);
  } else if (colon != absl::string_view::npos) {
    host = text.substr(0, colon);
    port_text = text.substr(colon + 1);
    if (host.find(':') != absl::string_view::npos) return Wrong(text, "IPv6 needs brackets");
  }
  uint32_t port = 0;
  const bool digits =
      !port_text.empty() && port_text.size() <= 5 &&
      std::all_of(port_text.begin(), port_text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || !absl::SimpleAtoi(port_text, &port) || port > 65535) {
    return Wrong(text, "the port must be a number from 0 to 65535");
  }

  Address address;
  if (absl::StartsWith(text, "[")) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(port));
    const size_t percent = host.find('%');
    if (inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &in6->sin6_addr) != 1) {
      return Wrong(text, "the part in brackets is not IPv6");
    }
    if (percent != absl::string_view::npos) {
      const std::optional<uint32_t> scope = ParseScope(host.substr(percent + 1));
      if (!scope.has_value())
        return Wrong(text, "behind '%' there is no interface of this machine");
      if (address.is_link_local()) in6->sin6_scope_id = *scope;
    }
    address.size_ = sizeof(sockaddr_in6);
    return address;
  }
  auto* in4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
  in4->sin_family = AF_INET;
  in4->sin_port = htons(static_cast<uint16_t>(port));
  std::string numeric(host);
  if (host.empty() || host == "*") numeric = "0.0.0.0";
  if (host == "localhost") numeric = "127.0.0.1";
  if (inet_pton(AF_INET, numeric.c_str(), &in4->sin_addr) != 1) {
    return Wrong(text, "the host must be a numeric address (names are not looked up)");
  }
  address.size_ = sizeof(sockaddr_in);
  return address;
}

Address Address::FromSockaddr(const sockaddr* from, socklen_t size) {
  Address address;
  address.size_ = std::min<socklen_t>(size, sizeof(address.storage_));
  memcpy(&address.storage_, from, address.size_);
  if (address.family() == AF_INET6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
    in6->sin6_flowinfo = 0;
    if (!address.is_link_local()) in6->sin6_scope_id = 0;
  }
  return address;
}

bool Address::is_link_local() const {
  const sockaddr_in6 in6 = AsIpv6(storage_);
  return family() == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
}

bool Address::is_mapped() const {
  const sockaddr_in6 in6 = AsIpv6(storage_);
  return family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
}

uint32_t Address::scope() const {
  return family() == AF_INET6 ? AsIpv6(storage_).sin6_scope_id : 0;
}

uint16_t Address::port() const {
  if (family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  return 0;
}

std::string Address::ToString() const {
  return scope() != 0 ? WithZone(absl::StrCat("%", ScopeText(scope()))) : WithZone("");
}

std::string Address::ToHost() const { return WithZone(""); }

std::string Address::WithZone(absl::string_view zone) const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text,
              sizeof(text));
    return absl::StrCat("[", text, zone, "]:", port());
  }
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, text,
              sizeof(text));
    return absl::StrCat(text, ":", port());
  }
  return "unknown";
}

bool operator==(const Address& a, const Address& b) {
  return a.size_ == b.size_ && memcmp(&a.storage_, &b.storage_, a.size_) == 0;
}

}  // namespace uc::net
