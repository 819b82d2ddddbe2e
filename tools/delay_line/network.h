// Network: a network namespace with a TUN device in it, whose packets we read and write.
#ifndef TOOLS_DELAY_LINE_NETWORK_H_
#define TOOLS_DELAY_LINE_NETWORK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc::delay_line {

struct NetworkOptions {
  std::vector<std::string> addresses;  // of the device, IPv4, all in `prefix`
  int prefix_bits = 24;
  int mtu = 1500;
};

struct Network {
  Fd space;    // the namespace; nothing else holds it but the processes in it
  Fd packets;  // the TUN device, non-blocking
};

// Makes both; this thread is in its former namespace again afterwards. PermissionDenied: not root (CAP_SYS_ADMIN,
// CAP_NET_ADMIN). FailedPrecondition: no /dev/net/tun. Says what is missing in one line.
absl::StatusOr<Network> MakeNetwork(const NetworkOptions& options);

}  // namespace uc::delay_line

#endif  // TOOLS_DELAY_LINE_NETWORK_H_
