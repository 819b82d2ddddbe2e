// Accepting: accept, poll and select as the program calls them, on listeners that other processes accept from, too.
#ifndef CORE_EXEC_PRELOAD_ACCEPTING_H_
#define CORE_EXEC_PRELOAD_ACCEPTING_H_

#include "core/exec/preload/listeners.h"

namespace uc::exec {

int Accept(Listener& listener, int fd, sockaddr* address, socklen_t* size, int flags);

bool HasListener(const pollfd* fds, nfds_t count);
// As ppoll(2): the program's own entries, with a listener's adopted ones behind them. -1 ms: for ever.
int PollAll(pollfd* fds, nfds_t count, int64_t timeout_ms, const sigset_t* mask);
// select(2) by poll(2), when a listener of ours is among them; kNoListener: none is.
inline constexpr int kNoListener = -2;
int SelectAll(int count, fd_set* in, fd_set* out, fd_set* except, int64_t timeout_ms,
              const sigset_t* mask);

inline int64_t ToMs(const timespec* time) {
  return time == nullptr ? -1
                         : int64_t{time->tv_sec} * 1000 + (time->tv_nsec + 999'999) / 1'000'000;
}

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_ACCEPTING_H_
