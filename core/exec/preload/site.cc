// The preload library of a program behind a front: the listener of *the site* becomes a private one, which only the
// program's worker reaches, and everything else is the program's own affair.
//
// A program that binds asks its worker. The site gets a UNIX socket underneath (site_name.h); from then on the kernel
// does what the program says: accept, poll, epoll, io_uring, shutdown, close, fork and exec are not touched. What is
// left to do is to look like TCP when somebody asks: names, the peer's address, options. Needs nothing but libc.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/exec/preload/real.h"
#include "core/exec/preload/site_name.h"
#include "core/exec/preload/talk.h"
#include "core/exec/preload/underneath.h"

#define UC_EXPORT extern "C" __attribute__((visibility("default")))

using namespace uc::exec;  // NOLINT: nothing but the functions below

namespace uc::exec {
namespace {

struct Name {
  sockaddr_storage address;
  socklen_t size;  // 0: there is none
};

Name NameOf(int fd) {
  Name name = {{}, sizeof(name.address)};
  if (Real_getsockname()(fd, reinterpret_cast<sockaddr*>(&name.address), &name.size) != 0) {
    name.size = 0;
  }
  return name;
}

// The TCP address that this socket stands for; none: it is not one of ours.
Name SiteOf(int fd) {
  const int error = errno;
  const Name own = NameOf(fd);
  Name site = {{}, 0};
  if (own.size != 0) {
    site.size =
        ReadSiteName(reinterpret_cast<const sockaddr*>(&own.address), own.size, &site.address);
  }
  errno = error;
  return site;
}

// A TCP socket may listen again after shutdown(2), one of UNIX never (sk_shutdown in net/unix/af_unix.c).
bool IsShutDown(int fd) {
  pollfd watch = {fd, POLLRDHUP, 0};
  return Real_poll()(&watch, 1, 0) == 1 && (watch.revents & POLLRDHUP) != 0;
}

bool IsSite(int fd) { return SiteOf(fd).size != 0; }

// Whoever is connected is the worker, on this machine.
Name PeerOf(const Name& site) {
  Name peer = {{}, site.size};
  peer.address.ss_family = site.address.ss_family;
  if (peer.address.ss_family == AF_INET) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&peer.address);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_port = htons(1);
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&peer.address);
    v6->sin6_addr = in6addr_loopback;
    v6->sin6_port = htons(1);
  }
  return peer;
}

// As the kernel hands names out: cut to the room that there is, with their whole size.
void HandOut(const Name& name, sockaddr* address, socklen_t* size) {
  memcpy(address, &name.address, *size < name.size ? *size : name.size);
  *size = name.size;
}

void Tell(Say say, const Name& name) {
  Packet packet;
  packet.say = say;
  packet.address_bytes = name.size;
  packet.address = name.address;
  int descriptor = -1;
  Ask(packet, -1, &descriptor);
  if (descriptor >= 0) Real_close()(descriptor);
}

// 0, or -1 with errno. `*taken`: another socket is underneath now.
int Prepare(Say say, int fd, const Name& name, bool* taken) {
  Packet question;
  question.say = say;
  question.address_bytes = name.size;
  question.address = name.address;
  question.dual_stack = name.address.ss_family == AF_INET6 && TakesBoth(fd);
  int descriptor = -1;
  const Packet answer = Ask(question, -1, &descriptor);
  if (answer.say == Say::kFails) {
    errno = static_cast<int>(answer.number);
    return -1;
  }
  if (answer.say != Say::kTakeThis || descriptor < 0) {
    if (descriptor >= 0) Real_close()(descriptor);
    return 0;
  }
  const bool non_blocking = Real_fcntl()(fd, F_GETFL) & O_NONBLOCK;
  CopyOptions(fd, descriptor);
  if (!PutUnderneath(descriptor, fd)) return -1;
  SetNonBlocking(fd, non_blocking);
  *taken = true;
  return 0;
}

// A client that has bound its own port before it connects has a private listener for it: it gets a socket of TCP again,
// bound as it was. Where that cannot be bound any more, the kernel chooses a port.
void BecomeClient(int fd, const Name& site) {
  const int error = errno;
  const int own = socket(site.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (own >= 0) {
    const bool non_blocking = Real_fcntl()(fd, F_GETFL) & O_NONBLOCK;
    const int on = 1;
    CopyOptions(fd, own);
    Real_setsockopt()(own, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    Real_setsockopt()(own, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    Real_bind()(own, reinterpret_cast<const sockaddr*>(&site.address), site.size);
    if (PutUnderneath(own, fd)) SetNonBlocking(fd, non_blocking);
    Tell(Say::kSiteConnects, site);
  }
  errno = error;
}

}  // namespace
}  // namespace uc::exec

static void __attribute__((constructor)) Begin() { SetDoor(getenv(kDoorVariable)); }

UC_EXPORT int bind(int fd, const sockaddr* address, socklen_t size) {
  const bool ip =
      address != nullptr && ((address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) ||
                             (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)));
  // Port 0 is what clients bind to, too: whoever listens is found at listen().
  const bool asks = HasDoor() && ip && size <= sizeof(sockaddr_storage) && IsTcp(fd) &&
                    reinterpret_cast<const sockaddr_in*>(address)->sin_port != 0;
  if (!asks) return Real_bind()(fd, address, size);
  Name name = {{}, size};
  memcpy(&name.address, address, size);
  bool taken = false;
  if (Prepare(Say::kMayBind, fd, name, &taken) != 0) return -1;
  return taken ? 0 : Real_bind()(fd, address, size);
}

UC_EXPORT int listen(int fd, int backlog) {
  Name site = {{}, 0};
  if (HasDoor()) {
    site = SiteOf(fd);
    bool taken = false;
    if (site.size != 0 && IsShutDown(fd)) {
      if (Prepare(Say::kMayBind, fd, site, &taken) != 0) return -1;
    } else if (site.size == 0 && IsTcp(fd)) {
      if (Prepare(Say::kMayListen, fd, NameOf(fd), &taken) != 0) return -1;
      if (taken) site = SiteOf(fd);
    }
  }
  const int result = Real_listen()(fd, backlog);
  if (result == 0 && site.size != 0) Tell(Say::kSiteListens, site);
  return result;
}

UC_EXPORT int connect(int fd, const sockaddr* address, socklen_t size) {
  const bool ip =
      address != nullptr && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
  if (ip && HasDoor()) {
    if (const Name site = SiteOf(fd); site.size != 0) BecomeClient(fd, site);
  }
  return Real_connect()(fd, address, size);
}

// --- It looks like TCP ---

UC_EXPORT int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (address == nullptr || size == nullptr) return Real_accept4()(fd, address, size, flags);
  Name peer = {{}, sizeof(peer.address)};
  const int connection =
      Real_accept4()(fd, reinterpret_cast<sockaddr*>(&peer.address), &peer.size, flags);
  if (connection < 0) return connection;
  if (peer.address.ss_family == AF_UNIX) {
    if (const Name site = SiteOf(connection); site.size != 0) peer = PeerOf(site);
  }
  HandOut(peer, address, size);
  return connection;
}

UC_EXPORT int accept(int fd, sockaddr* address, socklen_t* size) {
  return accept4(fd, address, size, 0);
}

UC_EXPORT int getsockname(int fd, sockaddr* address, socklen_t* size) {
  if (address == nullptr || size == nullptr) return Real_getsockname()(fd, address, size);
  const Name site = SiteOf(fd);
  if (site.size == 0) return Real_getsockname()(fd, address, size);
  HandOut(site, address, size);
  return 0;
}

UC_EXPORT int getpeername(int fd, sockaddr* address, socklen_t* size) {
  if (address == nullptr || size == nullptr) return Real_getpeername()(fd, address, size);
  Name peer = {{}, sizeof(peer.address)};
  const int result = Real_getpeername()(fd, reinterpret_cast<sockaddr*>(&peer.address), &peer.size);
  if (result != 0) return result;
  if (peer.address.ss_family == AF_UNIX) {
    if (const Name site = SiteOf(fd); site.size != 0) peer = PeerOf(site);
  }
  HandOut(peer, address, size);
  return 0;
}

static bool IsOfTcp(int level) {
  return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

UC_EXPORT int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  const int result = Real_getsockopt()(fd, level, option, value, size);
  if (value == nullptr || size == nullptr || *size < sizeof(int)) return result;
  int told = 0;
  if (result == 0 && level == SOL_SOCKET && (option == SO_DOMAIN || option == SO_PROTOCOL)) {
    memcpy(&told, value, sizeof(told));
    if (told != (option == SO_DOMAIN ? AF_UNIX : 0)) return result;
    const Name site = SiteOf(fd);
    if (site.size == 0) return result;
    told = option == SO_DOMAIN ? int{site.address.ss_family} : int{IPPROTO_TCP};
  } else if (result == 0 || !IsOfTcp(level) || (level == IPPROTO_TCP && option == TCP_INFO) ||
             !IsSite(fd)) {
    return result;
  }
  memcpy(value, &told, sizeof(told));
  *size = sizeof(told);
  return 0;
}

UC_EXPORT int setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  const int result = Real_setsockopt()(fd, level, option, value, size);
  if (result == 0 || errno == EBADF || errno == ENOTSOCK) return result;
  const bool of_tcp = IsOfTcp(level) || (level == SOL_SOCKET && option == SO_REUSEPORT);
  return of_tcp && IsSite(fd) ? 0 : result;
}
