// The name of a private listener: a UNIX socket that stands in the place of a TCP one (site.cc). It says which: so any
// process that has it, or a connection from it, can tell without a table, after fork(), exec() and SCM_RIGHTS as well.
// The kernel keeps the name as it was given to bind(2), whatever becomes of the file. C-like, as protocol.h.
#ifndef CORE_EXEC_PRELOAD_SITE_NAME_H_
#define CORE_EXEC_PRELOAD_SITE_NAME_H_

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/exec/preload/hex.h"

namespace uc::exec {

// Of the last part of the path; then the address, in hexadecimal as it stands in memory: 4 or 16 bytes, '-', the port, and
// of IPv6 '-', the scope.
inline constexpr char kSitePrefix[] = "uring-cluster-site-";
inline constexpr size_t kSiteNameBytes = sizeof(kSitePrefix) + 2 * (16 + 2 + 4) + 2;

// `out`: kSiteNameBytes. `address`: AF_INET or AF_INET6.
inline void WriteSiteName(const sockaddr* address, char* out) {
  const bool six = address->sa_family == AF_INET6;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  const size_t bytes = six ? 16 : 4;
  memcpy(out, kSitePrefix, sizeof(kSitePrefix) - 1);
  char* const ip = out + sizeof(kSitePrefix) - 1;
  WriteHex(six ? static_cast<const void*>(&v6->sin6_addr) : &v4->sin_addr, bytes, ip);
  ip[2 * bytes] = '-';
  WriteHex(six ? &v6->sin6_port : &v4->sin_port, 2, ip + 2 * bytes + 1);
  if (!six) return;
  ip[2 * 16 + 1 + 4] = '-';
  WriteHex(&v6->sin6_scope_id, 4, ip + 2 * 16 + 1 + 4 + 1);
}

// The size of the TCP address that the socket of this name stands for; 0: it is another socket. `size`: of `name`.
inline socklen_t ReadSiteName(const sockaddr* name, socklen_t size, sockaddr_storage* address) {
  constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
  if (size <= kPathAt || name->sa_family != AF_UNIX) return 0;
  char path[sizeof(sockaddr_un::sun_path) + 1] = {};
  const size_t bytes = size - kPathAt < sizeof(path) ? size - kPathAt : sizeof(path) - 1;
  memcpy(path, reinterpret_cast<const sockaddr_un*>(name)->sun_path, bytes);
  const char* const slash = strrchr(path, '/');
  if (slash == nullptr || strncmp(slash + 1, kSitePrefix, sizeof(kSitePrefix) - 1) != 0) return 0;
  const char* const ip = slash + sizeof(kSitePrefix);
  const size_t length = strlen(ip);
  memset(address, 0, sizeof(*address));
  if (length == 2 * 4 + 1 + 4 && ip[8] == '-') {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(address);
    v4->sin_family = AF_INET;
    return ReadHex(ip, 4, &v4->sin_addr) && ReadHex(ip + 9, 2, &v4->sin_port) ? sizeof(*v4) : 0;
  }
  if (length == 2 * 16 + 1 + 4 + 1 + 8 && ip[32] == '-' && ip[37] == '-') {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(address);
    v6->sin6_family = AF_INET6;
    const bool read = ReadHex(ip, 16, &v6->sin6_addr) && ReadHex(ip + 33, 2, &v6->sin6_port) &&
                      ReadHex(ip + 38, 4, &v6->sin6_scope_id);
    return read ? sizeof(*v6) : 0;
  }
  return 0;
}

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_SITE_NAME_H_
