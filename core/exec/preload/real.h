// The calls of libc that the library stands in front of.
#ifndef CORE_EXEC_PRELOAD_REAL_H_
#define CORE_EXEC_PRELOAD_REAL_H_

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace uc::exec {

template <typename Function>
Function Next(Function* cached, const char* name) {
  Function found = __atomic_load_n(cached, __ATOMIC_RELAXED);
  if (found == nullptr) {
    found = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
    __atomic_store_n(cached, found, __ATOMIC_RELAXED);
  }
  return found;
}

#define UC_REAL(name)                            \
  inline decltype(&::name) Real_##name() {       \
    static decltype(&::name) function = nullptr; \
    return ::uc::exec::Next(&function, #name);   \
  }
UC_REAL(bind)
UC_REAL(listen)
UC_REAL(connect)
UC_REAL(accept4)
UC_REAL(getsockname)
UC_REAL(getpeername)
UC_REAL(getsockopt)
UC_REAL(setsockopt)
UC_REAL(close)
UC_REAL(close_range)
UC_REAL(dup)
UC_REAL(dup2)
UC_REAL(dup3)
UC_REAL(fcntl)
UC_REAL(ioctl)
UC_REAL(poll)
UC_REAL(ppoll)
UC_REAL(select)
UC_REAL(pselect)
UC_REAL(epoll_ctl)
UC_REAL(epoll_wait)
UC_REAL(epoll_pwait)
UC_REAL(read)
UC_REAL(readv)
UC_REAL(recv)
UC_REAL(recvfrom)
UC_REAL(recvmsg)
UC_REAL(write)
UC_REAL(writev)
UC_REAL(send)
UC_REAL(sendto)
UC_REAL(sendmsg)
#undef UC_REAL

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_REAL_H_
