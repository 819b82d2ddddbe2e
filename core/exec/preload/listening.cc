#include "core/exec/preload/listening.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "core/exec/preload/listeners.h"
#include "core/exec/preload/real.h"
#include "core/exec/preload/talk.h"
#include "core/exec/preload/underneath.h"

namespace uc::exec {

bool any_port[kDescriptorsMax];

namespace {

in_port_t& PortOf(sockaddr* address) {
  return address->sa_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(address)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(address)->sin_port;
}

in_port_t PortOf(const sockaddr* address) {
  return address->sa_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                                        : reinterpret_cast<const sockaddr_in*>(address)->sin_port;
}

// 0, or -1 with errno. `*ours`: the slot's listener is underneath now.
int Prepare(int fd, bool* ours) {
  Packet question;
  question.say = Say::kMayListen;
  socklen_t size = sizeof(question.address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&question.address), &size) != 0) return 0;
  question.address_bytes = size;
  if (any_port[fd]) PortOf(reinterpret_cast<sockaddr*>(&question.address)) = 0;
  question.dual_stack = question.address.ss_family == AF_INET6 && TakesBoth(fd);
  int descriptor = -1;
  const Packet answer = Ask(question, fd, &descriptor);
  // Before anything can wake the program: a successor accepts nothing until it is admitted.
  if (answer.say == Say::kTakeThis || answer.say == Say::kKeepYours) SetClosed(answer.closed != 0);
  switch (answer.say) {
    case Say::kTakeThis:
      if (descriptor < 0) return 0;
      CopyOptions(fd, descriptor);
      *ours = PutUnderneath(descriptor, fd);
      return 0;
    case Say::kKeepYours:
      *ours = true;
      return 0;
    case Say::kFails:
      errno = static_cast<int>(answer.number);
      return -1;
    default:
      if (descriptor >= 0) Real_close()(descriptor);
      return 0;
  }
}

}  // namespace

int Bind(int fd, const sockaddr* address, socklen_t size) {
  const bool ip =
      address != nullptr && ((address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) ||
                             (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)));
  if (!HasDoor() || !ip || size > sizeof(sockaddr_storage) ||
      static_cast<unsigned>(fd) >= kDescriptorsMax || !IsTcp(fd)) {
    return Real_bind()(fd, address, size);
  }
  // Port 0 is what clients bind to, too: whoever listens is found at listen().
  any_port[fd] = PortOf(address) == 0;
  if (any_port[fd]) return Real_bind()(fd, address, size);
  Packet question;
  question.say = Say::kMayBind;
  question.address_bytes = size;
  memcpy(&question.address, address, size);
  question.dual_stack = address->sa_family == AF_INET6 && TakesBoth(fd);
  int descriptor = -1;
  const Packet answer = Ask(question, -1, &descriptor);
  if (answer.say == Say::kFails) {
    errno = static_cast<int>(answer.number);
    return -1;
  }
  if (answer.say != Say::kTakeThis || descriptor < 0) return Real_bind()(fd, address, size);
  const bool non_blocking = Real_fcntl()(fd, F_GETFL) & O_NONBLOCK;
  CopyOptions(fd, descriptor);
  if (!PutUnderneath(descriptor, fd)) return -1;
  SetNonBlocking(fd, non_blocking);
  return 0;
}

int Listen(int fd, int backlog) {
  if (!HasDoor() || static_cast<unsigned>(fd) >= kDescriptorsMax || Find(fd) != nullptr ||
      !IsTcp(fd)) {
    return Real_listen()(fd, backlog);
  }
  bool ours = false;
  const bool blocking = (Real_fcntl()(fd, F_GETFL) & O_NONBLOCK) == 0;
  if (Prepare(fd, &ours) != 0) return -1;
  // Several processes accept from it: underneath it must never block.
  if (ours) SetNonBlocking(fd, true);
  const int result = Real_listen()(fd, backlog);
  if (result == 0 && ours) Remember(fd, blocking);
  return result;
}

}  // namespace uc::exec
