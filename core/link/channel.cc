#include "core/link/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::link {
namespace {

// A stopped worker answers none, and a coordinator that comes and dies leaves one behind.
constexpr int kKnocksMax = 64;
constexpr size_t kControlBytes =
    CMSG_SPACE(kDescriptorsMax * sizeof(int)) + CMSG_SPACE(sizeof(ucred));
constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, include/uapi/asm-generic/socket.h of Linux 6.5

// What SO_PASSCRED makes the kernel add to each packet.
pid_t SenderOf(msghdr& header) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender;
    memcpy(&sender, CMSG_DATA(part), sizeof(sender));
    return sender.pid;
  }
  return 0;
}

std::vector<Fd> TakeDescriptors(msghdr& header) {
  std::vector<Fd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

// sun_path holds 107 bytes: the folder goes in as a descriptor of ours, which must live until the name was used.
absl::StatusOr<Fd> Shorten(const std::string& path, sockaddr_un* name) {
  const size_t slash = path.rfind('/');
  UC_CHECK(slash != std::string::npos);
  Fd folder(open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) {
    if (errno == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": no such folder"));
    return absl::ErrnoToStatus(errno, path);
  }
  const std::string text =
      absl::StrCat("/proc/self/fd/", folder.get(), "/", path.substr(slash + 1));
  memset(name, 0, sizeof(*name));
  name->sun_family = AF_UNIX;
  if (text.size() >= sizeof(name->sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the file's name is too long"));
  }
  memcpy(name->sun_path, text.data(), text.size());
  return folder;
}

}  // namespace

absl::StatusOr<std::pair<Channel, Channel>> Channel::Pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "no link for a worker");
  }
  return std::make_pair(Channel(Fd(ends[0])), Channel(Fd(ends[1])));
}

absl::StatusOr<Fd> MakeDoor(const std::string& path) {
  unlink(path.c_str());
  sockaddr_un name;
  const absl::StatusOr<Fd> folder = Shorten(path, &name);
  if (!folder.ok()) return folder.status();
  Fd door(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!door.valid() ||
      bind(door.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 ||
      listen(door.get(), kKnocksMax) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be made"));
  }
  return door;
}

absl::StatusOr<Fd> MakeHiddenDoor() {
  Fd door(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  // An address of this length alone gets a free abstract name (unix(7), autobind).
  if (!door.valid() ||
      bind(door.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(sa_family_t)) != 0 ||
      listen(door.get(), kKnocksMax) != 0) {
    return absl::ErrnoToStatus(errno, "no door for a worker");
  }
  return door;
}

// A second listen(2) is allowed, and makes the caller's the credentials that a peer gets (unix_listen in
// net/unix/af_unix.c).
void KeepDoor(const Fd& door) { listen(door.get(), kKnocksMax); }

bool DoorIsKept(const std::string& path) {
  sockaddr_un name;
  const absl::StatusOr<Fd> folder = Shorten(path, &name);
  if (!folder.ok()) return absl::IsResourceExhausted(folder.status());
  // A socket of another type is told so (EPROTOTYPE) where somebody listens, and ECONNREFUSED where nobody
  // does (unix_find_bsd in net/unix/af_unix.c); neither reaches the listener.
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return true;
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 &&
         errno == EPROTOTYPE;
}

std::optional<Fd> AnswerDoor(const Fd& door) {
  for (;;) {
    Fd visitor(accept4(door.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!visitor.valid()) return std::nullopt;
    ucred who;
    socklen_t size = sizeof(who);
    if (getsockopt(visitor.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
        (who.uid == geteuid() || who.uid == 0)) {
      return visitor;
    }
  }
}

absl::StatusOr<Channel> Channel::Knock(const std::string& path) {
  sockaddr_un name;
  const absl::StatusOr<Fd> folder = Shorten(path, &name);
  if (!folder.ok()) return folder.status();
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return absl::ErrnoToStatus(errno, "no socket");
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat(path, ": nobody is there"));
    }
    return absl::ErrnoToStatus(errno, path);
  }
  return Channel(std::move(fd));
}

pid_t Channel::keeper() const {
  ucred keeper = {};
  socklen_t size = sizeof(keeper);
  return getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &keeper, &size) == 0 ? keeper.pid : 0;
}

Fd Channel::KeeperPidfd() const {
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  return getsockopt(fd_.get(), SOL_SOCKET, kPeerPidfd, &pidfd, &size) == 0 ? Fd(pidfd) : Fd();
}

absl::Status Channel::Send(const Message& message, absl::Span<const int> descriptors) {
  UC_CHECK(descriptors.size() <= kDescriptorsMax);
  std::string bytes = Encode(message);
  UC_CHECK(bytes.size() <= kMessageBytesMax);
  iovec part = {bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[kControlBytes] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
  }
  while (sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) {
      return absl::ResourceExhaustedError("the link's queue is full: the other end does not read");
    }
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
      return absl::UnavailableError("the other end of the link is gone");
    }
    return absl::ErrnoToStatus(errno, "link");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Received>> Channel::Receive() {
  char bytes[kMessageBytesMax];
  iovec part = {bytes, sizeof(bytes)};
  alignas(cmsghdr) char control[kControlBytes];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size;
  bool reset = false;
  do {
    size = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // An end that left with something unread is reported once, before its last words (unix(7): ECONNRESET):
    // they are still in the queue.
    const bool again = size < 0 && errno == ECONNRESET && !reset;
    reset = reset || again;
    if (again) continue;
    if (size >= 0 || errno != EINTR) break;
  } while (true);
  if (size < 0 && errno == EAGAIN) return std::optional<Received>();
  if (size < 0) return absl::UnavailableError("the other end of the link is gone");

  Received received;
  received.descriptors = TakeDescriptors(header);
  if (const pid_t sender = SenderOf(header); sender > 0) sender_ = sender;
  // 0 is the end of the peer (unix(7)), or an empty packet, which our protocol does not have: nothing but
  // descriptors tells them apart, and they must not stay open.
  if (size == 0 && !received.descriptors.empty()) {
    return absl::InvalidArgumentError("link message without a byte");
  }
  if (size == 0) return absl::UnavailableError("the other end of the link is gone");
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    return absl::InvalidArgumentError("link message too large, or no descriptors left to take it");
  }
  absl::StatusOr<Message> message = Decode(absl::string_view(bytes, size));
  if (!message.ok()) return absl::InvalidArgumentError(message.status().message());
  received.message = *std::move(message);
  return std::optional<Received>(std::move(received));
}

}  // namespace uc::link
