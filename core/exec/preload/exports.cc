// The preload library: makes a program that was written for one process listen on its slot's SO_REUSEPORT
// listener, with no line of it changed. Here is all that stands between the program and libc.
//
// At bind() and listen() the launcher gives the socket that is put underneath the program's descriptor; the rest
// keeps up the appearance that it is the program's own. UNIX sockets, UDP, client sockets and everything else pass
// straight through. Needs nothing but libc: no libstdc++, no exceptions, no allocation.
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#include "core/exec/preload/accepting.h"
#include "core/exec/preload/connections.h"
#include "core/exec/preload/listeners.h"
#include "core/exec/preload/listening.h"
#include "core/exec/preload/real.h"
#include "core/exec/preload/talk.h"

#define UC_EXPORT extern "C" __attribute__((visibility("default")))

using namespace uc::exec;  // NOLINT: nothing but the functions below

static void __attribute__((constructor)) Begin() {
  if (!SetDoor(getenv(kDoorVariable))) return;
  pthread_atfork(PrepareFork, AfterForkInParent, AfterForkInChild);
}

UC_EXPORT int bind(int fd, const sockaddr* address, socklen_t size) {
  return Bind(fd, address, size);
}

UC_EXPORT int listen(int fd, int backlog) { return Listen(fd, backlog); }

UC_EXPORT int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  Listener* const listener = Find(fd);
  return listener == nullptr ? Real_accept4()(fd, address, size, flags)
                             : Accept(*listener, fd, address, size, flags);
}

UC_EXPORT int accept(int fd, sockaddr* address, socklen_t* size) {
  return accept4(fd, address, size, 0);
}

// --- Descriptors that come and go ---

static void LetGo(int fd) {
  if (static_cast<unsigned>(fd) >= kDescriptorsMax) return;
  const bool known = place_of[fd] != 0 || connection_of[fd] != kNone || any_port[fd];
  if (!known || Elsewhere()) return;
  Forget(fd);
  Ended(fd);
  any_port[fd] = false;
}

UC_EXPORT int close(int fd) {
  LetGo(fd);
  return Real_close()(fd);
}

UC_EXPORT int close_range(unsigned first, unsigned last, int flags) {
  for (unsigned fd = first; flags == 0 && fd <= last && fd < kDescriptorsMax; ++fd) {
    LetGo(static_cast<int>(fd));
  }
  return Real_close_range()(first, last, flags);
}
UC_EXPORT void closefrom(int first) { close_range(static_cast<unsigned>(first), ~0u, 0); }

UC_EXPORT int dup(int fd) {
  const int copy = Real_dup()(fd);
  Copied(fd, copy);
  return copy;
}

UC_EXPORT int dup2(int fd, int copy) {
  if (fd != copy) {
    LetGo(copy);
  }
  const int result = Real_dup2()(fd, copy);
  Copied(fd, result);
  return result;
}

UC_EXPORT int dup3(int fd, int copy, int flags) {
  LetGo(copy);
  const int result = Real_dup3()(fd, copy, flags);
  Copied(fd, result);
  return result;
}

static int Control(int fd, int command, void* argument) {
  Listener* const listener = Find(fd);
  if (listener == nullptr) return Real_fcntl()(fd, command, argument);
  if (command == F_SETFL) {
    const auto flags = reinterpret_cast<intptr_t>(argument);
    listener->blocking = (flags & O_NONBLOCK) == 0;
    return Real_fcntl()(fd, command, reinterpret_cast<void*>(flags | O_NONBLOCK));
  }
  const int result = Real_fcntl()(fd, command, argument);
  if (command == F_GETFL && result >= 0 && listener->blocking) return result & ~O_NONBLOCK;
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) Copied(fd, result);
  return result;
}

UC_EXPORT int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Control(fd, command, argument);
}

UC_EXPORT int fcntl64(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Control(fd, command, argument);
}

UC_EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  Listener* const listener = request == FIONBIO ? Find(fd) : nullptr;
  if (listener == nullptr || argument == nullptr) return Real_ioctl()(fd, request, argument);
  listener->blocking = *static_cast<const int*>(argument) == 0;
  return 0;
}

// --- Waiting ---

UC_EXPORT int poll(pollfd* fds, nfds_t count, int timeout) {
  if (!HasListener(fds, count)) return Real_poll()(fds, count, timeout);
  return PollAll(fds, count, timeout, nullptr);
}

UC_EXPORT int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (!HasListener(fds, count)) return Real_ppoll()(fds, count, timeout, mask);
  return PollAll(fds, count, ToMs(timeout), mask);
}

// What _FORTIFY_SOURCE makes of the two above.
UC_EXPORT int __poll_chk(pollfd* fds, nfds_t count, int timeout, size_t bytes) {
  if (bytes / sizeof(*fds) < count) abort();
  return poll(fds, count, timeout);
}
UC_EXPORT int __ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask,
                          size_t bytes) {
  if (bytes / sizeof(*fds) < count) abort();
  return ppoll(fds, count, timeout, mask);
}

UC_EXPORT int select(int count, fd_set* in, fd_set* out, fd_set* except, timeval* timeout) {
  const int64_t timeout_ms =
      timeout == nullptr ? -1 : int64_t{timeout->tv_sec} * 1000 + (timeout->tv_usec + 999) / 1000;
  const int result = SelectAll(count, in, out, except, timeout_ms, nullptr);
  return result == kNoListener ? Real_select()(count, in, out, except, timeout) : result;
}

UC_EXPORT int pselect(int count, fd_set* in, fd_set* out, fd_set* except, const timespec* timeout,
                      const sigset_t* mask) {
  const int result = SelectAll(count, in, out, except, ToMs(timeout), mask);
  return result == kNoListener ? Real_pselect()(count, in, out, except, timeout, mask) : result;
}

UC_EXPORT int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) {
  Listener* const listener = Find(fd);
  if (listener == nullptr || (operation != EPOLL_CTL_DEL && event == nullptr)) {
    return Real_epoll_ctl()(epoll_fd, operation, fd, event);
  }
  return Register(*listener, epoll_fd, operation, fd, event);
}

UC_EXPORT int epoll_wait(int epoll_fd, epoll_event* events, int count, int timeout) {
  if (any_listener && IsRegistered(epoll_fd)) BeatLife();
  return Real_epoll_wait()(epoll_fd, events, count, timeout);
}

UC_EXPORT int epoll_pwait(int epoll_fd, epoll_event* events, int count, int timeout,
                          const sigset_t* mask) {
  if (any_listener && IsRegistered(epoll_fd)) BeatLife();
  return Real_epoll_pwait()(epoll_fd, events, count, timeout, mask);
}

// --- Connections: who has asked, who has been answered ---

UC_EXPORT ssize_t read(int fd, void* data, size_t size) {
  return Read(fd, Real_read()(fd, data, size));
}
UC_EXPORT ssize_t readv(int fd, const iovec* parts, int count) {
  return Read(fd, Real_readv()(fd, parts, count));
}
UC_EXPORT ssize_t recv(int fd, void* data, size_t size, int flags) {
  return Read(fd, Real_recv()(fd, data, size, flags));
}
UC_EXPORT ssize_t recvfrom(int fd, void* data, size_t size, int flags, sockaddr* address,
                           socklen_t* address_size) {
  return Read(fd, Real_recvfrom()(fd, data, size, flags, address, address_size));
}
UC_EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return Read(fd, Real_recvmsg()(fd, message, flags));
}
UC_EXPORT ssize_t __read_chk(int fd, void* data, size_t size, size_t room) {
  if (size > room) abort();
  return read(fd, data, size);
}
UC_EXPORT ssize_t __recv_chk(int fd, void* data, size_t size, size_t room, int flags) {
  if (size > room) abort();
  return recv(fd, data, size, flags);
}
static ssize_t Send(int fd, const void* data, size_t size, int flags) {
  iovec part = {const_cast<void*>(data), size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return Wrote(fd, WriteLastAnswer(fd, &message, flags));
}

UC_EXPORT ssize_t write(int fd, const void* data, size_t size) {
  if (IsLastAnswer(fd)) return Send(fd, data, size, 0);
  return Wrote(fd, Real_write()(fd, data, size));
}
UC_EXPORT ssize_t writev(int fd, const iovec* parts, int count) {
  if (IsLastAnswer(fd)) {
    msghdr message = {};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = static_cast<size_t>(count);
    return Wrote(fd, WriteLastAnswer(fd, &message, 0));
  }
  return Wrote(fd, Real_writev()(fd, parts, count));
}
UC_EXPORT ssize_t send(int fd, const void* data, size_t size, int flags) {
  if (IsLastAnswer(fd)) return Send(fd, data, size, flags);
  return Wrote(fd, Real_send()(fd, data, size, flags));
}
UC_EXPORT ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* address,
                         socklen_t address_size) {
  if (IsLastAnswer(fd)) return Send(fd, data, size, flags);
  return Wrote(fd, Real_sendto()(fd, data, size, flags, address, address_size));
}
UC_EXPORT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (IsLastAnswer(fd)) return Wrote(fd, WriteLastAnswer(fd, message, flags));
  return Wrote(fd, Real_sendmsg()(fd, message, flags));
}
