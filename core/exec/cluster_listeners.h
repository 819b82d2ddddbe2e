// ClusterListeners: the sockets of --listen for a program, on addresses that are resolved: those that the slot has
// already, or fresh ones, which the slot keeps from then on.
//
// Which of them the program gets when it listens is not known here (SlotListeners).
#ifndef CORE_EXEC_CLUSTER_LISTENERS_H_
#define CORE_EXEC_CLUSTER_LISTENERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/exec/coordinator_link.h"
#include "core/exec/launch_options.h"
#include "core/link/message.h"
#include "core/net/address.h"

namespace uc::exec {

struct ClusterListeners {
  std::vector<net::Address> addresses;
  // In the order of the addresses; behind them those that came along: of addresses that the program had claimed.
  std::vector<Fd> sockets;
};

// `way`: not kAuto; with kListenFds they listen already. `inherited`: what came with `assign`. Fresh ones are told over
// the `link`.
absl::StatusOr<ClusterListeners> TakeClusterListeners(const LaunchOptions& options, SocketWay way,
                                                      const link::Assign& assign,
                                                      std::vector<Fd> inherited,
                                                      CoordinatorLink& link);

}  // namespace uc::exec

#endif  // CORE_EXEC_CLUSTER_LISTENERS_H_
