// AttachRandom: the unprivileged form of --balance=random.
#ifndef CORE_NET_RANDOM_STEERING_H_
#define CORE_NET_RANDOM_STEERING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/base/fd.h"

namespace uc::net {

// Chance decides which of the `sockets` of the listener's reuseport group gets a connection (a classic BPF
// program, SO_ATTACH_REUSEPORT_CBPF). To be called again when their number changes.
absl::Status AttachRandom(const Fd& listener, uint32_t sockets);

}  // namespace uc::net

#endif  // CORE_NET_RANDOM_STEERING_H_
