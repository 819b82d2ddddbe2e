#include "core/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::net {
namespace {

absl::Status Wrong(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no address: ", what,
                                                 "; examples: 127.0.0.1:8080, [::1]:8080, :8080"));
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
    if (inet_pton(AF_INET6, std::string(host).c_str(), &in6->sin6_addr) != 1) {
      return Wrong(text, "the part in brackets is not IPv6");
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
  return address;
}

uint16_t Address::port() const {
  if (family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  return 0;
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text,
              sizeof(text));
    return absl::StrCat("[", text, "]:", port());
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
