#include "core/exec/notify_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/exec/abstract_name.h"

namespace uc::exec {

absl::StatusOr<NotifySocket> NotifySocket::Open(const std::string& name, uid_t user) {
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const AbstractName address(name);
  const int on = 1;
  if (!fd.valid() || bind(fd.get(), address.get(), address.size()) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(name, ": cannot be made"));
  }
  return NotifySocket(name, std::move(fd), user);
}

bool NotifySocket::HeardReady() const {
  bool ready = false;
  for (;;) {
    char text[4096];
    iovec part = {text, sizeof(text)};
    alignas(cmsghdr) char control[256];
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t size = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return ready;
    bool trusted = false;
    for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
      if (one->cmsg_level != SOL_SOCKET) continue;
      if (one->cmsg_type == SCM_CREDENTIALS) {
        ucred who;
        memcpy(&who, CMSG_DATA(one), sizeof(who));
        trusted = who.uid == geteuid() || who.uid == user_ || who.uid == 0;
      } else if (one->cmsg_type == SCM_RIGHTS) {  // sd_notify can send descriptors: we keep none
        const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
          int fd;
          memcpy(&fd, CMSG_DATA(one) + i * sizeof(int), sizeof(fd));
          close(fd);
        }
      }
    }
    for (const absl::string_view line :
         absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), '\n')) {
      ready |= trusted && line == "READY=1";
    }
  }
}

}  // namespace uc::exec
