#include "core/net/address_use.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc::net {

bool IsUnused(const Address& address, bool dual_stack) {
  const Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int only = dual_stack ? 0 : 1;
  if (address.family() == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  }
  return bind(fd.get(), address.get(), address.size()) == 0;
}

uint16_t UnprivilegedPortStart() {
  constexpr uint16_t kUsual = 1024;
  const Fd file(open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC));
  char text[16];
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text)) : -1;
  int port = 0;
  if (size <= 0 || !absl::SimpleAtoi(absl::string_view(text, static_cast<size_t>(size)), &port)) {
    return kUsual;
  }
  return static_cast<uint16_t>(std::clamp(port, 0, 65535));
}

}  // namespace uc::net
