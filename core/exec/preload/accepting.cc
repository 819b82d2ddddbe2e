#include "core/exec/preload/accepting.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/exec/preload/real.h"

namespace uc::exec {
namespace {

constexpr int kPolledMax = 1024;
// Of several threads that wait, one empties the waking: the others look by themselves.
constexpr int64_t kClosedLookMs = 50;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

int TryAccept(const Listener& listener, int fd, sockaddr* address, socklen_t* size, int flags) {
  if (Closed()) {
    errno = EAGAIN;
    return -1;
  }
  int connection = Real_accept4()(fd, address, size, flags);
  if (connection >= 0 || errno != EAGAIN) return connection;
  pollfd sources[kAdoptedMax];
  const int count = Sources(listener, sources, kAdoptedMax);
  errno = EAGAIN;
  for (int i = 0; i < count && connection < 0 && errno == EAGAIN; ++i) {
    connection = Real_accept4()(sources[i].fd, address, size, flags);
    // Released meanwhile.
    if (connection < 0 && (errno == EBADF || errno == EINVAL)) errno = EAGAIN;
  }
  return connection;
}

}  // namespace

int Accept(Listener& listener, int fd, sockaddr* address, socklen_t* size, int flags) {
  const socklen_t room = size != nullptr ? *size : 0;
  for (;;) {
    BeatLife();
    const int connection = TryAccept(listener, fd, address, size, flags);
    if (connection >= 0) {
      Opened(connection);
      return connection;
    }
    if (errno != EAGAIN || !listener.blocking) return -1;
    if (size != nullptr) *size = room;
    pollfd one = {fd, POLLIN, 0};
    if (PollAll(&one, 1, -1, nullptr) < 0) return -1;
  }
}

bool HasListener(const pollfd* fds, nfds_t count) {
  if (!any_listener || count + kAdoptedMax + 1 > kPolledMax) return false;
  for (nfds_t i = 0; i < count; ++i) {
    if (Find(fds[i].fd) != nullptr) return true;
  }
  return false;
}

int PollAll(pollfd* fds, nfds_t count, int64_t timeout_ms, const sigset_t* mask) {
  const int64_t until = timeout_ms < 0 ? INT64_MAX : NowMs() + timeout_ms;
  pollfd all[kPolledMax];
  uint16_t owner[kPolledMax];
  BeatLife();
  for (;;) {
    nfds_t total = count;
    memcpy(all, fds, count * sizeof(pollfd));
    const bool closed = Closed();
    for (nfds_t i = 0; i < count; ++i) {
      const Listener* const listener = Find(fds[i].fd);
      if (listener == nullptr || (fds[i].events & POLLIN) == 0) continue;
      if (closed) all[i].fd = -1;
      const int added = Sources(*listener, all + total, static_cast<int>(kPolledMax - 1 - total));
      for (int j = 0; j < added; ++j) owner[total++] = static_cast<uint16_t>(i);
    }
    all[total] = {WakeFd(), POLLIN, 0};
    int64_t left = until == INT64_MAX ? -1 : until - NowMs() > 0 ? until - NowMs() : 0;
    const bool sliced = closed && (left < 0 || left > kClosedLookMs);
    if (sliced) left = kClosedLookMs;
    const timespec wait = {left / 1000, (left % 1000) * 1'000'000};
    const int ready = Real_ppoll()(all, total + 1, left < 0 ? nullptr : &wait, mask);
    if (ready < 0) return ready;
    if (all[total].revents != 0) EmptyWake();
    for (nfds_t i = 0; i < count; ++i) fds[i].revents = all[i].fd < 0 ? 0 : all[i].revents;
    for (nfds_t i = count; i < total; ++i) {
      if (all[i].revents & POLLIN) fds[owner[i]].revents |= POLLIN;
    }
    int results = 0;
    for (nfds_t i = 0; i < count; ++i) results += fds[i].revents != 0;
    if (results > 0 || (ready == 0 && !sliced)) return results;
  }
}

int SelectAll(int count, fd_set* in, fd_set* out, fd_set* except, int64_t timeout_ms,
              const sigset_t* mask) {
  if (!any_listener || in == nullptr) return kNoListener;
  pollfd fds[FD_SETSIZE];
  nfds_t used = 0;
  bool found = false;
  for (int fd = 0; fd < count && fd < FD_SETSIZE; ++fd) {
    const short events = static_cast<short>(
        (FD_ISSET(fd, in) ? POLLIN : 0) | (out != nullptr && FD_ISSET(fd, out) ? POLLOUT : 0) |
        (except != nullptr && FD_ISSET(fd, except) ? POLLPRI : 0));
    if (events == 0) continue;
    fds[used++] = {fd, events, 0};
    found |= Find(fd) != nullptr;
  }
  if (!found || used + kAdoptedMax + 1 > kPolledMax) return kNoListener;
  const int ready = PollAll(fds, used, timeout_ms, mask);
  if (ready < 0) return ready;
  FD_ZERO(in);
  if (out != nullptr) FD_ZERO(out);
  if (except != nullptr) FD_ZERO(except);
  int results = 0;
  const auto mark = [&results](fd_set* set, const pollfd& entry, short asked, int when) {
    if (set == nullptr || (entry.events & asked) == 0 || (entry.revents & when) == 0) return;
    FD_SET(entry.fd, set);
    ++results;
  };
  for (nfds_t i = 0; i < used; ++i) {
    mark(in, fds[i], POLLIN, POLLIN | POLLHUP | POLLERR);
    mark(out, fds[i], POLLOUT, POLLOUT | POLLERR);
    mark(except, fds[i], POLLPRI, POLLPRI);
  }
  return results;
}

}  // namespace uc::exec
