#include "core/exec/listen_door.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::exec {
namespace {

constexpr int kKnocksMax = 64;

bool SendPacket(int fd, const Packet& packet, int descriptor) {
  iovec part = {const_cast<Packet*>(&packet), sizeof(packet)};
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
  return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(sizeof(packet));
}

enum class Heard { kPacket, kNothing, kGone };

Heard ReceivePacket(int fd, Packet* packet, Fd* descriptor) {
  iovec part = {packet, sizeof(*packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  const ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Heard::kNothing : Heard::kGone;
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    int received;
    memcpy(&received, CMSG_DATA(rights), sizeof(received));
    descriptor->Reset(received);
  }
  const bool whole = size == static_cast<ssize_t>(sizeof(*packet)) &&
                     packet->version == kProtocolVersion &&
                     packet->address_bytes <= sizeof(packet->address);
  return whole ? Heard::kPacket : Heard::kGone;
}

net::Address AddressOf(const Packet& packet) {
  return net::Address::FromSockaddr(reinterpret_cast<const sockaddr*>(&packet.address),
                                    packet.address_bytes);
}

Packet PacketOf(Say say, const net::Address& address) {
  Packet packet;
  packet.say = say;
  packet.address_bytes = address.size();
  memcpy(&packet.address, address.get(), address.size());
  return packet;
}

Packet PacketOf(Say say, uint32_t number = 0) {
  Packet packet;
  packet.say = say;
  packet.number = number;
  return packet;
}

}  // namespace

absl::StatusOr<ListenDoor> ListenDoor::Open(const std::string& name, uid_t user, Events events) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  UC_CHECK(name.size() < sizeof(address.sun_path) && name[0] == '@');
  memcpy(address.sun_path, name.data(), name.size());
  address.sun_path[0] = '\0';
  Fd door(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (!door.valid() || bind(door.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(door.get(), kKnocksMax) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(name, ": cannot be made"));
  }
  return ListenDoor(std::move(door), user, std::move(events));
}

std::vector<int> ListenDoor::descriptors() const {
  std::vector<int> all = {door_.get()};
  for (const auto& [fd, asker] : askers_) all.push_back(fd);
  return all;
}

void ListenDoor::OnReadable(int fd) {
  if (fd == door_.get()) {
    Fd asker(accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ucred who;
    socklen_t size = sizeof(who);
    if (!asker.valid() || getsockopt(asker.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 ||
        (who.uid != geteuid() && who.uid != user_ && who.uid != 0)) {
      return;
    }
    const int number = asker.get();
    askers_[number] = Asker{++last_, std::move(asker), false, {}};
    return;
  }
  const auto found = askers_.find(fd);
  if (found != askers_.end()) Hear(found->second);
}

void ListenDoor::Hear(Asker& asker) {
  Packet packet;
  Fd descriptor;
  switch (ReceivePacket(asker.fd.get(), &packet, &descriptor)) {
    case Heard::kNothing:
      return;
    case Heard::kGone:
      askers_.erase(asker.fd.get());
      return;
    case Heard::kPacket:
      break;
  }
  const ListenId id = asker.id;
  if (packet.say == Say::kMayBind) {
    events_.may_bind(id, AddressOf(packet));
  } else if (packet.say == Say::kMayListen) {
    events_.may_listen(id, AddressOf(packet));
  } else if (packet.say == Say::kBound && descriptor.valid()) {
    events_.bound(id, AddressOf(packet), std::move(descriptor));
  } else if (packet.say == Say::kListening) {
    asker.listening = true;
    asker.address = AddressOf(packet);
    events_.listening(id, asker.address);
  }
}

void ListenDoor::Tell(ListenId id, Packet packet, int descriptor) {
  for (const auto& [fd, asker] : askers_) {
    if (asker.id == id) SendPacket(fd, packet, descriptor);
  }
}

void ListenDoor::TellAll(Packet packet) {
  for (const auto& [fd, asker] : askers_) {
    if (asker.listening) SendPacket(fd, packet, -1);
  }
}

void ListenDoor::TakeThis(ListenId id, int listener) {
  Tell(id, PacketOf(Say::kTakeThis), listener);
}
void ListenDoor::BindThere(ListenId id, const net::Address& address) {
  Tell(id, PacketOf(Say::kBindThere, address));
}
void ListenDoor::LeaveAlone(ListenId id) { Tell(id, PacketOf(Say::kLeaveAlone)); }
void ListenDoor::Fail(ListenId id, int error) {
  Tell(id, PacketOf(Say::kFails, static_cast<uint32_t>(error)));
}

void ListenDoor::Close() { TellAll(PacketOf(Say::kClose)); }
void ListenDoor::Reopen() { TellAll(PacketOf(Say::kOpen)); }

void ListenDoor::Adopt(uint32_t slot, const net::Address& address, int listener) {
  Packet packet = PacketOf(Say::kAdopt, address);
  packet.number = slot;
  for (const auto& [fd, asker] : askers_) {
    if (asker.listening && asker.address == address) SendPacket(fd, packet, listener);
  }
}

void ListenDoor::Release(uint32_t slot) { TellAll(PacketOf(Say::kRelease, slot)); }

}  // namespace uc::exec
