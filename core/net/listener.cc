#include "core/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/net/address_holder.h"
#include "core/net/random_steering.h"

namespace uc::net {
namespace {

// Names who has it, and why the sharing that SO_REUSEPORT permits did not come about.
std::string InUse(const Address& address) {
  const std::optional<AddressHolder> holder = FindAddressHolder(address);
  if (!holder.has_value()) {
    return "the address is in use by another process or another cluster; stop it or choose another "
           "--listen (ss -ltnp shows who it is)";
  }
  const std::string text = absl::StrCat(
      "the address is in use by ", holder->ToString(), "; stop it or choose another --listen",
      holder->process == 0 ? " (as root, ss -ltnp shows who it is)" : "");
  if (holder->user == geteuid()) return text;
  return absl::StrCat(text,
                      "; if that is a worker of this cluster: all of its workers must bind as one "
                      "user, and this one has user id ",
                      geteuid());
}

absl::Status BindError(int error, const Address& address) {
  const std::string where = absl::StrCat("cannot listen on ", address.ToString(), ": ");
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(where, InUse(address)));
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(where, "a privileged port; give the binary CAP_NET_BIND_SERVICE, lower ",
                       "net.ipv4.ip_unprivileged_port_start, or choose a port from 1024 on"));
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(
          absl::StrCat(where, "no interface of this machine has that address"));
    case EAFNOSUPPORT:
      return absl::InvalidArgumentError(
          absl::StrCat(where, "this machine has no such address family"));
    case EINVAL:
      return absl::OutOfRangeError(absl::StrCat(
          where, address.is_mapped() ? "an IPv4 address in the form of IPv6; write it as 1.2.3.4:80"
                 : address.is_link_local() && address.scope() == 0
                     ? "a link-local address needs its interface, as in [fe80::1%eth0]:80"
                     : "no socket can have that address"));
    case ENODEV:
      return absl::InvalidArgumentError(
          absl::StrCat(where, "this machine has no interface with that number"));
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(
          absl::StrCat(where, "no file descriptors left; raise ulimit -n"));
    default:
      return absl::ErrnoToStatus(error, absl::StrCat("cannot listen on ", address.ToString()));
  }
}

int SetFlag(const Fd& fd, int level, int option, int value = 1) {
  return setsockopt(fd.get(), level, option, &value, sizeof(value));
}

// SO_REUSEADDR is off while the socket is only bound: ProbeFree() does not see bound sockets that
// have it (inet_bind_conflict() in net/ipv4/inet_connection_sock.c), and another cluster that
// starts at the same time would pass. The TIME_WAITs of our own predecessor do not need it, they
// have SO_REUSEPORT; those of a server without SO_REUSEPORT do.
int BindShared(const Fd& fd, const Address& address) {
  if (bind(fd.get(), address.get(), address.size()) == 0) return 0;
  if (errno != EADDRINUSE) return -1;
  SetFlag(fd, SOL_SOCKET, SO_REUSEADDR);
  if (bind(fd.get(), address.get(), address.size()) != 0) return -1;
  return SetFlag(fd, SOL_SOCKET, SO_REUSEADDR, 0);
}

absl::StatusOr<Fd> OpenSocket(const Address& address, const ListenOptions& options) {
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd.valid()) return BindError(errno, address);
  // Each address family has its own listeners: [::]:80 and 0.0.0.0:80 stand side by side.
  if (address.family() == AF_INET6) SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !options.dual_stack);
  return fd;
}

absl::StatusOr<Address> NameOf(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  if (ask(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return absl::ErrnoToStatus(errno, "the socket has no address");
  }
  return Address::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

absl::StatusOr<Fd> Bind(const Address& address, const ListenOptions& options) {
  absl::StatusOr<Fd> fd = OpenSocket(address, options);
  if (!fd.ok()) return fd.status();
  // One socket per slot on one address.
  if (SetFlag(*fd, SOL_SOCKET, SO_REUSEPORT) != 0) return BindError(errno, address);
  // Set once here, inherited by every accepted connection (tcp(7)).
  SetFlag(*fd, IPPROTO_TCP, TCP_NODELAY);
  if (BindShared(*fd, address) != 0) return BindError(errno, address);
  return fd;
}

void DeferAccept(int socket, int seconds) {
  setsockopt(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

absl::Status StartListening(const Fd& socket, const Address& address,
                            const ListenOptions& options) {
  // Not of one that listens already: a worker before this one may still serve it, by another protocol.
  if (options.defer_accept_seconds > 0 && !Listens(socket)) {
    DeferAccept(socket.get(), options.defer_accept_seconds);
  }
  if (options.unsent_bytes_max > 0) {
    SetFlag(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options.unsent_bytes_max);
  }
  // Before listen(): accepted connections inherit it, and their TIME_WAITs must not be in the way
  // of the next start.
  if (SetFlag(socket, SOL_SOCKET, SO_REUSEADDR) != 0 ||
      listen(socket.get(), options.backlog) != 0) {
    return BindError(errno, address);
  }
  return absl::OkStatus();
}

absl::Status ProbeFree(const Address& address, const ListenOptions& options) {
  const absl::StatusOr<Fd> fd = OpenSocket(address, options);
  if (!fd.ok()) return fd.status();
  // Without SO_REUSEPORT; SO_REUSEADDR passes TIME_WAIT but neither listeners nor sockets bound
  // without it, as all of ours are.
  SetFlag(*fd, SOL_SOCKET, SO_REUSEADDR);
  if (bind(fd->get(), address.get(), address.size()) != 0) return BindError(errno, address);
  return absl::OkStatus();
}

absl::StatusOr<Address> LocalAddress(int fd) { return NameOf(fd, getsockname); }
absl::StatusOr<Address> PeerAddress(int fd) { return NameOf(fd, getpeername); }

bool TakesBoth(int fd) {
  int only = 1;
  socklen_t size = sizeof(only);
  return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && only == 0;
}

}  // namespace uc::net
