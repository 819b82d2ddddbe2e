#include "core/net/random_steering.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

namespace uc::net {

absl::Status AttachRandom(const Fd& listener, uint32_t sockets) {
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
