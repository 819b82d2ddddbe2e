#include "core/exec/preload/talk.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "core/exec/preload/hex.h"
#include "core/exec/preload/real.h"

namespace uc::exec {
namespace {

constexpr int kOursFrom = 512;

char door[sizeof(sockaddr_un::sun_path)];  // with a leading '@'
uint8_t secret[kSecretBytes];

bool ReadSecret(const char* text) {
  return strlen(text) == 2 * kSecretBytes && ReadHex(text, kSecretBytes, secret);
}

}  // namespace

bool SetDoor(const char* text) {
  if (text == nullptr || text[0] != '@') return false;
  const char* const comma = strchr(text, ',');
  const size_t size = comma != nullptr ? static_cast<size_t>(comma - text) : 0;
  if (size == 0 || size >= sizeof(door) || !ReadSecret(comma + 1)) return false;
  memcpy(door, text, size);
  return true;
}

bool HasDoor() { return door[0] != '\0'; }

int MoveAway(int fd) {
  if (fd < 0 || fd >= kOursFrom) return fd;
  const int away = Real_fcntl()(fd, F_DUPFD_CLOEXEC, kOursFrom);
  if (away < 0) return fd;  // few are allowed: it stays where it is
  Real_close()(fd);
  return away;
}

int Connect() {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, door, sizeof(door));
  name.sun_path[0] = '\0';
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(door));
  if (Real_connect()(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    Real_close()(fd);
    return -1;
  }
  return MoveAway(fd);
}

bool Send(int fd, Packet packet, int descriptor) {
  memcpy(packet.secret, secret, sizeof(secret));
  iovec part = {&packet, sizeof(packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
  }
  ssize_t size;
  do {
    size = Real_sendmsg()(fd, &header, MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(sizeof(packet));
}

bool Receive(int fd, Packet* packet, int* descriptor) {
  iovec part = {packet, sizeof(*packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = Real_recvmsg()(fd, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  *descriptor = -1;
  if (size <= 0) return false;
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    memcpy(descriptor, CMSG_DATA(rights), sizeof(int));
  }
  return size == static_cast<ssize_t>(sizeof(*packet)) && packet->version == kProtocolVersion;
}

Packet Ask(const Packet& question, int own, int* descriptor) {
  *descriptor = -1;
  Packet answer;
  const int fd = Connect();
  if (fd < 0) return answer;
  if (!Send(fd, question, own) || !Receive(fd, &answer, descriptor)) answer.say = Say::kLeaveAlone;
  Real_close()(fd);
  return answer;
}

}  // namespace uc::exec
