#include "core/exec/preload/underneath.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "core/exec/preload/real.h"

namespace uc::exec {

bool IsTcp(int fd) {
  int domain = 0, type = 0, protocol = 0;
  socklen_t size = sizeof(int);
  return Real_getsockopt()(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6) &&
         Real_getsockopt()(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         Real_getsockopt()(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
         protocol == IPPROTO_TCP;
}

bool TakesBoth(int fd) {
  int only = 1;
  socklen_t size = sizeof(only);
  return Real_getsockopt()(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && only == 0;
}

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
    if (Real_getsockopt()(from, option.level, option.name, before, &size) != 0) continue;
    socklen_t same = sizeof(after);
    if (Real_getsockopt()(to, option.level, option.name, after, &same) == 0 && same == size &&
        memcmp(before, after, size) == 0) {
      continue;
    }
    Real_setsockopt()(to, option.level, option.name, before, size);
  }
}

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

}  // namespace uc::exec
