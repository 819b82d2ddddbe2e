#include "core/front/own_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/fd.h"
#include "core/net/address.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

constexpr uint16_t kPortLeast = 10000;  // below it are ports that have names
constexpr int kTries = 200;

// The first port that an outgoing connection may get.
uint16_t EphemeralStart() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int first = 0;
  return file >> first && first > 0 && first <= UINT16_MAX ? static_cast<uint16_t>(first) : 32768;
}

// Neither all interfaces nor one of them has it. Without SO_REUSEADDR: nor did a moment ago.
bool IsFree(uint16_t port) {
  const Fd socket4(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in all4 = {};
  all4.sin_family = AF_INET;
  all4.sin_port = htons(port);
  if (bind(socket4.get(), reinterpret_cast<sockaddr*>(&all4), sizeof(all4)) != 0) return false;
  const Fd socket6(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket6.valid()) return true;  // there is no IPv6
  const int on = 1;
  setsockopt(socket6.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  sockaddr_in6 all6 = {};
  all6.sin6_family = AF_INET6;
  all6.sin6_port = htons(port);
  return bind(socket6.get(), reinterpret_cast<sockaddr*>(&all6), sizeof(all6)) == 0;
}

absl::StatusOr<uint16_t> FreePort() {
  const uint16_t end = EphemeralStart();
  // Where nothing is left below it, an outgoing connection may be quicker than the program.
  std::uniform_int_distribution<uint32_t> ports(
      kPortLeast, end > kPortLeast + 1000 ? end - 1u : uint32_t{UINT16_MAX});
  std::random_device random;
  for (int i = 0; i < kTries; ++i) {
    const auto port = static_cast<uint16_t>(ports(random));
    if (IsFree(port)) return port;
  }
  return absl::UnavailableError("no free port was found for the program");
}

bool IsSelfConnected(const Fd& fd) {
  sockaddr_storage own = {}, peer = {};
  socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &own_size) != 0 ||
      getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0 ||
      own.ss_family == AF_UNIX) {
    return false;
  }
  return net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&own), own_size) ==
         net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&peer), peer_size);
}

}  // namespace

absl::StatusOr<OwnListener> OwnListener::Of(const exec::LaunchOptions& options, uint32_t slot,
                                            uint32_t generation) {
  OwnListener own;
  own.port_ = options.program_port;
  if (own.port_ == 0 && !absl::StartsWith(options.upstream, "unix:")) {
    const absl::StatusOr<uint16_t> port = FreePort();
    if (!port.ok()) return port.status();
    own.port_ = *port;
  }
  std::vector<std::string> places;
  if (options.upstream.empty()) {
    places = {absl::StrCat("127.0.0.1:", own.port_), absl::StrCat("[::1]:", own.port_)};
  } else {
    own.words_ = {{"{port}", absl::StrCat(own.port_)},
                  {"{slot}", absl::StrCat(slot)},
                  {"{generation}", absl::StrCat(generation)}};
    places = {absl::StrReplaceAll(options.upstream, own.words_)};
  }
  own.text_ = places.front();
  for (const std::string& place : places) {
    absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(place);
    if (!endpoint.ok()) return endpoint.status();
    own.places_.push_back(*std::move(endpoint));
  }
  return own;
}

const Endpoint* OwnListener::Find() const {
  const auto found = std::find_if(places_.begin(), places_.end(), [](const Endpoint& place) {
    const absl::StatusOr<Fd> connection = place.Connect();
    return connection.ok() && !IsSelfConnected(*connection);
  });
  return found == places_.end() ? nullptr : &*found;
}

absl::Status CheckUpstream(absl::string_view upstream) {
  const bool path = absl::StartsWith(upstream, "unix:");
  const absl::string_view own = path ? "{generation}" : "{port}";
  if (!absl::StrContains(upstream, own)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--upstream=", upstream.substr(0, 100), ": each worker's program listens at ",
        "a place of its own, so ", own,
        " has to be in it; examples: ", "127.0.0.1:{port}, unix:/run/app-{generation}.sock"));
  }
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(absl::StrReplaceAll(
      upstream, {{"{port}", "65535"}, {"{slot}", "65535"}, {"{generation}", "4294967295"}}));
  if (endpoint.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--upstream=", upstream.substr(0, 100), ": ", endpoint.status().message()));
}

}  // namespace uc::front
