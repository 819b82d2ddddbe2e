// Listener: a slot's SO_REUSEPORT listening socket for one address.
//
// Bound by the first worker of the slot, held (as a duplicate) by the coordinator, inherited by
// every later worker of that slot: the accept queue outlives the workers.
#ifndef CORE_NET_LISTENER_H_
#define CORE_NET_LISTENER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/net/address.h"

namespace uc::net {

struct ListenOptions {
  int backlog = 4096;  // the kernel cuts it to net.core.somaxconn
  // The kernel holds a connection back until its first bytes came (TCP_DEFER_ACCEPT, seconds, 0 =
  // off). Only for protocols where the client speaks first (HTTP).
  int defer_accept_seconds = 0;
  // So many bytes that have not been sent yet the kernel keeps of a connection (TCP_NOTSENT_LOWAT, tcp(7); 0 = as many as
  // its send buffer takes). What the network and the peer have room for is not among them.
  int unsent_bytes_max = 0;
  bool dual_stack = false;  // an IPv6 socket takes IPv4 as well: what some programs expect
};

// A bound socket that does NOT listen yet: SO_REUSEPORT, TCP_NODELAY (inherited by what it
// accepts), IPV6_V6ONLY for IPv6 unless dual_stack, non-blocking, close-on-exec. Errors name the address and the
// likely cure: EADDRINUSE (who holds it is not ours), EACCES (privileged port: CAP_NET_BIND_SERVICE
// or net.ipv4.ip_unprivileged_port_start), EADDRNOTAVAIL; OutOfRange: EINVAL, no socket can have it.
absl::StatusOr<Fd> Bind(const Address& address, const ListenOptions& options);

// Starts the traffic: to be called last, when the worker can answer; what is deferred is, from here on. Calling it
// again on a listening socket only renews the backlog.
absl::Status StartListening(const Fd& socket, const Address& address, const ListenOptions& options);

// Of a listening socket, from now on (ListenOptions::defer_accept_seconds).
void DeferAccept(int socket, int seconds);

// OK if nobody has the address: a bind WITHOUT SO_REUSEPORT, undone at once. SO_REUSEPORT removes
// the kernel's guard against a second cluster on the same address; this is the guard's replacement.
// Also says EACCES for privileged ports. Port 0 is always free.
absl::Status ProbeFree(const Address& address, const ListenOptions& options = {});

// What the socket is really bound to (resolves port 0).
absl::StatusOr<Address> LocalAddress(int fd);
inline absl::StatusOr<Address> LocalAddress(const Fd& socket) { return LocalAddress(socket.get()); }
absl::StatusOr<Address> PeerAddress(int fd);
// An IPv6 socket that takes IPv4 as well.
bool TakesBoth(int fd);

}  // namespace uc::net

#endif  // CORE_NET_LISTENER_H_
