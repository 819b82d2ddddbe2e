#include "core/base/fd.h"

#include <fcntl.h>
#include <unistd.h>

namespace uc {

void Fd::Reset(int fd) {
  // EINTR from close() on Linux still closes: never repeat it (close(2), NOTES).
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Fd Fd::Duplicate() const {
  if (fd_ < 0) return Fd();
  return Fd(fcntl(fd_, F_DUPFD_CLOEXEC, 0));
}

}  // namespace uc
