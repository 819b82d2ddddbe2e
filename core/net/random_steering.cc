#include "core/net/random_steering.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

namespace uc::net {

bool Listens(const Fd& socket) {
  int listens = 0;
  socklen_t bytes = sizeof(listens);
  return getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) == 0 && listens != 0;
}

absl::Status AttachRandom(const Fd& listener, uint32_t sockets) {
  if (!Listens(listener)) {
    return absl::FailedPreconditionError("chance cannot be attached: the socket does not listen");
  }
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)},
      {BPF_ALU | BPF_MOD | BPF_K, 0, 0, sockets == 0 ? 1 : sockets},
      {BPF_RET | BPF_A, 0, 0, 0},  // the index in the group; out of range: the kernel's hash
  };
  const sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (setsockopt(listener.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) !=
      0) {
    return absl::ErrnoToStatus(errno, "chance cannot be attached to a listener");
  }
  return absl::OkStatus();
}

}  // namespace uc::net
