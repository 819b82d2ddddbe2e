#include "core/exec/notify_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/exec/abstract_name.h"
#include "core/link/program_mark.h"

namespace uc::exec {
namespace {

// Room for the sender and for some of the descriptors that sd_notify can send: the kernel closes those that do not fit.
constexpr size_t kControlBytes = 256;

// Who has sent it; nullopt: it does not say. Descriptors that came along are closed.
std::optional<uid_t> TakeControl(msghdr& header) {
  std::optional<uid_t> sender;
  for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
    if (one->cmsg_level != SOL_SOCKET) continue;
    if (one->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      memcpy(&who, CMSG_DATA(one), sizeof(who));
      sender = who.uid;
    } else if (one->cmsg_type == SCM_RIGHTS) {
      const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        memcpy(&fd, CMSG_DATA(one) + i * sizeof(int), sizeof(fd));
        close(fd);
      }
    }
  }
  return sender;
}

bool SaysReady(absl::string_view text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line == "READY=1") return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<NotifySocket> NotifySocket::Open(uid_t user) {
  // By chance: a name that can be foreseen can be taken by somebody else. And ours: a coordinator knows by it whom a
  // program has left behind whose worker is dead (core/coordinator/program_group.cc).
  uint64_t chance[2];
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  constexpr int kOn = 1;
  if (fd.valid() && getrandom(chance, sizeof(chance), 0) == sizeof(chance)) {
    std::string name =
        absl::StrCat(link::NotifyNameOf(getpid()), absl::Hex(chance[0]), absl::Hex(chance[1]));
    const AbstractName address(name);
    if (setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &kOn, sizeof(kOn)) == 0 &&
        bind(fd.get(), address.get(), address.size()) == 0) {
      return NotifySocket(user, std::move(name), std::move(fd));
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no socket for the program's READY=1: ", strerror(errno)));
}

bool NotifySocket::HeardReady() const {
  bool ready = false;
  for (int i = 0; i < kPacketsMax; ++i) {
    char text[4096];
    iovec part = {text, sizeof(text)};
    alignas(cmsghdr) char control[kControlBytes];
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t size = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return ready;
    if (TakeControl(header) != user_) continue;
    ready |= SaysReady(absl::string_view(text, static_cast<size_t>(size)));
  }
  return ready;
}

}  // namespace uc::exec
