// WaitsAt: does this process wait at one of these listeners? For programs that inherit them and call neither listen()
// nor sd_notify(): the kernel tells from outside, so that readiness is a fact and no guess.
//
// In accept, poll or epoll (proc_pid_syscall(5), proc_pid_fdinfo(5)): what blocking C servers, event loops
// and Go's runtime do. Nobody there yet, or in a way that is not seen: false, and READY=1 is what is left.
#ifndef CORE_EXEC_WAITS_AT_H_
#define CORE_EXEC_WAITS_AT_H_

#include <sys/types.h>

#include "absl/types/span.h"

namespace uc::exec {

bool WaitsAt(pid_t process, absl::Span<const int> listeners);

}  // namespace uc::exec

#endif  // CORE_EXEC_WAITS_AT_H_
