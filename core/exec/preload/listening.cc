#include "core/exec/preload/listening.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "core/exec/preload/listeners.h"
#include "core/exec/preload/real.h"
#include "core/exec/preload/talk.h"

namespace uc::exec {

bool any_port[kDescriptorsMax];

namespace {

bool IsTcp(int fd) {
  int domain = 0, type = 0, protocol = 0;
  socklen_t size = sizeof(int);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6) &&
         getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

in_port_t& PortOf(sockaddr* address) {
  return address->sa_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(address)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(address)->sin_port;
}

in_port_t PortOf(const sockaddr* address) {
  return address->sa_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                                        : reinterpret_cast<const sockaddr_in*>(address)->sin_port;
}

uint32_t DualStack(int fd) {
  int only = 1;
  socklen_t size = sizeof(only);
  return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && only == 0;
}

// What a listener passes on to its connections, or what decides whom it takes.
void CopyOptions(int from, int to) {
  struct Option {
    int level, name;
  };
  constexpr Option kOptions[] = {
      {SOL_SOCKET, SO_KEEPALIVE},  {SOL_SOCKET, SO_LINGER},
      {SOL_SOCKET, SO_OOBINLINE},  {SOL_SOCKET, SO_REUSEADDR},
      {SOL_SOCKET, SO_RCVTIMEO},   {SOL_SOCKET, SO_SNDTIMEO},
      {IPPROTO_TCP, TCP_NODELAY},  {IPPROTO_TCP, TCP_DEFER_ACCEPT},
      {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},
      {IPPROTO_TCP, TCP_KEEPCNT},  {IPPROTO_TCP, TCP_USER_TIMEOUT},
      {IPPROTO_TCP, TCP_FASTOPEN}, {IPPROTO_TCP, TCP_QUICKACK},
  };
  for (const Option& option : kOptions) {
    char before[64], after[64];
    socklen_t size = sizeof(before);
    if (getsockopt(from, option.level, option.name, before, &size) != 0) continue;
    socklen_t same = sizeof(after);
    if (getsockopt(to, option.level, option.name, after, &same) == 0 && same == size &&
        memcmp(before, after, size) == 0) {
      continue;
    }
    setsockopt(to, option.level, option.name, before, size);
  }
}

// Puts `source` underneath the program's descriptor, whose own flags stay. Takes `source`.
bool PutUnderneath(int source, int fd) {
  const int flags = Real_fcntl()(fd, F_GETFD);
  const bool done = Real_dup3()(source, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) == fd;
  Real_close()(source);
  return done;
}

void SetNonBlocking(int fd, bool value) {
  const int flags = Real_fcntl()(fd, F_GETFL);
  const int wanted = value ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags != wanted) Real_fcntl()(fd, F_SETFL, wanted);
}

// 0, or -1 with errno. `*ours`: the slot's listener is underneath now.
int Prepare(int fd, bool* ours) {
  Packet question;
  question.say = Say::kMayListen;
  socklen_t size = sizeof(question.address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&question.address), &size) != 0) return 0;
  question.address_bytes = size;
  if (any_port[fd]) PortOf(reinterpret_cast<sockaddr*>(&question.address)) = 0;
  question.dual_stack = question.address.ss_family == AF_INET6 && DualStack(fd);
  int descriptor = -1;
  const Packet answer = Ask(question, fd, &descriptor);
  // Before anything can wake the program: a successor accepts nothing until it is admitted.
  if (answer.say == Say::kTakeThis || answer.say == Say::kKeepYours) SetClosed(answer.closed != 0);
  switch (answer.say) {
    case Say::kTakeThis:
      if (descriptor < 0) return 0;
      CopyOptions(fd, descriptor);
      *ours = PutUnderneath(descriptor, fd);
      return 0;
    case Say::kKeepYours:
      *ours = true;
      return 0;
    case Say::kFails:
      errno = static_cast<int>(answer.number);
      return -1;
    default:
      if (descriptor >= 0) Real_close()(descriptor);
      return 0;
  }
}

}  // namespace

int Bind(int fd, const sockaddr* address, socklen_t size) {
  const bool ip =
      address != nullptr && ((address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) ||
                             (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)));
  if (!HasDoor() || !ip || size > sizeof(sockaddr_storage) ||
      static_cast<unsigned>(fd) >= kDescriptorsMax || !IsTcp(fd)) {
    return Real_bind()(fd, address, size);
  }
  // Port 0 is what clients bind to, too: whoever listens is found at listen().
  any_port[fd] = PortOf(address) == 0;
  if (any_port[fd]) return Real_bind()(fd, address, size);
  Packet question;
  question.say = Say::kMayBind;
  question.address_bytes = size;
  memcpy(&question.address, address, size);
  question.dual_stack = address->sa_family == AF_INET6 && DualStack(fd);
  int descriptor = -1;
  const Packet answer = Ask(question, -1, &descriptor);
  if (answer.say == Say::kFails) {
    errno = static_cast<int>(answer.number);
    return -1;
  }
  if (answer.say != Say::kTakeThis || descriptor < 0) return Real_bind()(fd, address, size);
  const bool non_blocking = Real_fcntl()(fd, F_GETFL) & O_NONBLOCK;
  CopyOptions(fd, descriptor);
  if (!PutUnderneath(descriptor, fd)) return -1;
  SetNonBlocking(fd, non_blocking);
  return 0;
}

int Listen(int fd, int backlog) {
  if (!HasDoor() || static_cast<unsigned>(fd) >= kDescriptorsMax || Find(fd) != nullptr ||
      !IsTcp(fd)) {
    return Real_listen()(fd, backlog);
  }
  bool ours = false;
  const bool blocking = (Real_fcntl()(fd, F_GETFL) & O_NONBLOCK) == 0;
  if (Prepare(fd, &ours) != 0) return -1;
  // Several processes accept from it: underneath it must never block.
  if (ours) SetNonBlocking(fd, true);
  const int result = Real_listen()(fd, backlog);
  if (result == 0 && ours) Remember(fd, blocking);
  return result;
}

}  // namespace uc::exec
