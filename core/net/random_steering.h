// AttachRandom: the unprivileged form of --balance=random.
#ifndef CORE_NET_RANDOM_STEERING_H_
#define CORE_NET_RANDOM_STEERING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/base/fd.h"

namespace uc::net {

// True if the socket is in its reuseport group.
bool Listens(const Fd& socket);

// Chance decides which of the `sockets` of the listener's reuseport group gets a connection (a classic BPF
// program, SO_ATTACH_REUSEPORT_CBPF). To be called again when their number changes.
// FailedPrecondition: the socket does not listen yet. Attaching would make a group of its own for it, and its listen()
// would fail with EADDRINUSE for ever (inet_csk_bind_conflict() in the kernel).
absl::Status AttachRandom(const Fd& listener, uint32_t sockets);

}  // namespace uc::net

#endif  // CORE_NET_RANDOM_STEERING_H_
