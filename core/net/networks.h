// Networks: a set of IP networks, as the operator lists them: "10.0.0.0/8", "192.0.2.7", "fd00::/8". Pure.
//
// An IPv4 address in the form of IPv6 (::ffff:10.0.0.1, what a socket of both families says) is the IPv4 address.
#ifndef CORE_NET_NETWORKS_H_
#define CORE_NET_NETWORKS_H_

#include <netinet/in.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/net/address.h"

namespace uc::net {

class Networks {
 public:
  // None: it contains nothing. InvalidArgument in one line, which names the one that is wrong.
  static absl::StatusOr<Networks> Parse(absl::Span<const std::string> texts);

  bool empty() const { return networks_.empty(); }
  bool Contain(const Address& address) const;

 private:
  struct Network {
    in6_addr address = {};
    int bits = 0;  // of the 128 that count
  };
  static absl::StatusOr<Network> ParseOne(absl::string_view text);

  std::vector<Network> networks_;
};

}  // namespace uc::net

#endif  // CORE_NET_NETWORKS_H_
