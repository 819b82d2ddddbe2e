#include "core/exec/cluster_listeners.h"

#include <fcntl.h>

#include <utility>

#include "absl/status/status.h"
#include "core/net/listener.h"

namespace uc::exec {

absl::StatusOr<ClusterListeners> TakeClusterListeners(const LaunchOptions& options, SocketWay way,
                                                      const link::Assign& assign,
                                                      std::vector<Fd> inherited,
                                                      CoordinatorLink& link) {
  ClusterListeners cluster{.addresses = {}, .sockets = std::move(inherited)};
  for (size_t i = 0; i < options.addresses.size() && i < assign.addresses.size(); ++i) {
    absl::StatusOr<net::Address> address = net::Address::Parse(assign.addresses[i]);
    if (!address.ok()) return address.status();
    cluster.addresses.push_back(*address);
  }
  net::ListenOptions listen;
  listen.backlog = options.backlog;
  if (cluster.sockets.size() < cluster.addresses.size()) {
    cluster.sockets.clear();
    std::vector<int> descriptors;
    for (const net::Address& address : cluster.addresses) {
      absl::StatusOr<Fd> bound = net::Bind(address, listen);
      if (!bound.ok()) return bound.status();
      // As systemd passes them; who wants it otherwise sets it once, for all that come after it.
      if (way == SocketWay::kListenFds) {
        fcntl(bound->get(), F_SETFL, fcntl(bound->get(), F_GETFL) & ~O_NONBLOCK);
      }
      descriptors.push_back(bound->get());
      cluster.sockets.push_back(*std::move(bound));
    }
    absl::Status status = link.Send(link::Bound{}, descriptors);
    if (!status.ok()) return status;
  }
  if (way == SocketWay::kListenFds) {
    // It will not call listen(): who inherits a listener takes it as it is.
    for (size_t i = 0; i < cluster.addresses.size(); ++i) {
      absl::Status status = net::StartListening(cluster.sockets[i], cluster.addresses[i], listen);
      if (!status.ok()) return status;
    }
  }
  return cluster;
}

}  // namespace uc::exec
