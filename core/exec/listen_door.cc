#include "core/exec/listen_door.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/descriptor_limit.h"
#include "core/exec/abstract_name.h"

namespace uc::exec {
namespace {

constexpr int kKnocksMax = 64;
constexpr int kAnsweredAtATime = 16;
// Of the launcher, for all but this door.
constexpr uint64_t kDescriptorReserve = 64;
// Listeners of one process, as the library knows them, with some to spare.
constexpr size_t kAddressesOfOneMax = 64;
constexpr uint32_t kOpenOfOneMax = 1 << 16;  // connections of one process: kDescriptorsMax

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

Packet PacketOf(Say say, uint32_t number = 0) {
  Packet packet;
  packet.say = say;
  packet.number = number;
  return packet;
}

Packet AdoptPacket(uint32_t slot, const net::Address& address) {
  Packet packet = PacketOf(Say::kAdopt, slot);
  packet.address_bytes = address.size();
  memcpy(&packet.address, address.get(), address.size());
  return packet;
}

}  // namespace

absl::StatusOr<ListenDoor> ListenDoor::Open(const std::string& name, Events events) {
  Secret secret;
  if (getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
    return absl::ErrnoToStatus(errno, "no random bytes for the program's secret");
  }
  const AbstractName address(name);
  Fd door(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!door.valid() || bind(door.get(), address.get(), address.size()) != 0 ||
      listen(door.get(), kKnocksMax) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(name, ": cannot be made"));
  }
  const std::string hexadecimal = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(secret.data()), secret.size()));
  // Each that listens costs its connection and its page.
  const uint64_t reserve = kDescriptorReserve + kStrangersMax + kQuestionsMax;
  const uint64_t limit = DescriptorLimit();
  const uint64_t listening = limit > reserve ? (limit - reserve) / 2 : 0;
  return ListenDoor(absl::StrCat(name, ",", hexadecimal), secret, std::move(door),
                    std::clamp<uint64_t>(listening, 1, kListeningMax), std::move(events));
}

std::vector<int> ListenDoor::descriptors() const {
  std::vector<int> all = {door_.get()};
  for (const auto& [fd, asker] : askers_) all.push_back(fd);
  return all;
}

void ListenDoor::OnReadable(int fd) {
  if (fd == door_.get()) return Answer();
  const auto found = askers_.find(fd);
  if (found == askers_.end()) return;
  if (!Hear(found->second)) return Leave(found);
  Bound(Kind::kAsks, kQuestionsMax);
}

void ListenDoor::Answer() {
  for (int i = 0; i < kAnsweredAtATime; ++i) {
    Fd fd(accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      // It would be readable for ever.
      if (errno == EMFILE || errno == ENFILE) Bound(Kind::kStranger, 0);
      return;
    }
    ucred who;
    socklen_t size = sizeof(who);
    if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) continue;
    Asker& asker = askers_[fd.get()];
    asker.id = ++last_;
    asker.pid = who.pid;
    asker.fd = std::move(fd);
    Bound(Kind::kStranger, kStrangersMax);
  }
}

bool ListenDoor::ShowsSecret(const Packet& packet) const {
  uint8_t differs = 0;  // in a time that does not tell where
  for (size_t i = 0; i < secret_.size(); ++i) differs |= secret_[i] ^ packet.secret[i];
  return differs == 0;
}

size_t ListenDoor::Count(Kind kind) const {
  return static_cast<size_t>(
      std::count_if(askers_.begin(), askers_.end(),
                    [kind](const auto& entry) { return entry.second.kind == kind; }));
}

void ListenDoor::Bound(Kind kind, size_t most) {
  for (size_t count = Count(kind); count > most; --count) {
    auto oldest = askers_.end();
    for (auto one = askers_.begin(); one != askers_.end(); ++one) {
      if (one->second.kind == kind &&
          (oldest == askers_.end() || one->second.id < oldest->second.id)) {
        oldest = one;
      }
    }
    Leave(oldest);
  }
}

bool ListenDoor::Hear(Asker& asker) {
  Packet packet;
  Fd descriptor;
  switch (ReceivePacket(asker.fd.get(), &packet, &descriptor)) {
    case Heard::kNothing:
      return true;
    case Heard::kGone:
      return false;
    case Heard::kPacket:
      break;
  }
  if (asker.kind == Kind::kStranger) {
    if (!ShowsSecret(packet)) return false;
    asker.kind = Kind::kAsks;
  }
  if (packet.say == Say::kMayBind) {
    events_.may_bind(asker.id, {AddressOf(packet), packet.dual_stack != 0});
  } else if (packet.say == Say::kMayListen) {
    events_.may_listen(asker.id, {AddressOf(packet), packet.dual_stack != 0},
                       std::move(descriptor));
  } else if (packet.say == Say::kListening) {
    return BeginListening(asker, AddressOf(packet));
  } else if (packet.say == Say::kSiteListens) {
    if (events_.site_listens) events_.site_listens(asker.pid, AddressOf(packet));
    LeaveAlone(asker.id);
  } else if (packet.say == Say::kSiteConnects) {
    if (events_.site_connects) events_.site_connects(AddressOf(packet));
    LeaveAlone(asker.id);
  } else if (packet.say == Say::kBusy) {
    const uint32_t open = std::min(packet.open, kOpenOfOneMax);
    asker.tally = Tally{open, std::min(packet.number, open)};
  }
  return true;
}

bool ListenDoor::BeginListening(Asker& asker, const net::Address& address) {
  if (asker.kind != Kind::kListens && Count(Kind::kListens) >= listening_max_) return false;
  asker.kind = Kind::kListens;
  std::vector<net::Address>& own = asker.listens_on;
  if (std::count(own.begin(), own.end(), address) == 0) {
    if (own.size() >= kAddressesOfOneMax) return false;
    own.push_back(address);
  }
  if (!asker.life.has_value()) {
    absl::StatusOr<LifePage> life = LifePage::Make();
    if (life.ok()) asker.life.emplace(*std::move(life));
    // The process waits for this word, with a page or without.
    SendPacket(asker.fd.get(), PacketOf(Say::kLife), life.ok() ? asker.life->fd() : -1);
  }
  SendPacket(asker.fd.get(), PacketOf(closed_ ? Say::kClose : Say::kOpen), -1);
  for (const auto& [slot, one] : adopted_) {
    if (one.first == address) {
      SendPacket(asker.fd.get(), AdoptPacket(slot, address), one.second.get());
    }
  }
  events_.listening(asker.id, address);
  return true;
}

void ListenDoor::Leave(std::map<int, Asker>::iterator asker) {
  if (asker->second.life.has_value()) {
    const Life life = asker->second.life->Read();
    departed_.turns += life.turns + 1;
    departed_.accepts += life.accepts;
    departed_.closes += life.accepts;
  }
  askers_.erase(asker);
}

void ListenDoor::Tell(AskerId id, Packet packet, int descriptor) {
  packet.closed = closed_;
  for (const auto& [fd, asker] : askers_) {
    if (asker.id == id) SendPacket(fd, packet, descriptor);
  }
}

void ListenDoor::TellAll(const Packet& packet) {
  for (const auto& [fd, asker] : askers_) {
    if (!asker.listens_on.empty()) SendPacket(fd, packet, -1);
  }
}

void ListenDoor::TakeThis(AskerId id, int socket) { Tell(id, PacketOf(Say::kTakeThis), socket); }
void ListenDoor::KeepYours(AskerId id) { Tell(id, PacketOf(Say::kKeepYours)); }
void ListenDoor::LeaveAlone(AskerId id) { Tell(id, PacketOf(Say::kLeaveAlone)); }
void ListenDoor::Fail(AskerId id, int error) {
  Tell(id, PacketOf(Say::kFails, static_cast<uint32_t>(error)));
}

void ListenDoor::Close() {
  closed_ = true;
  for (auto& [fd, asker] : askers_) asker.tally.reset();
  TellAll(PacketOf(Say::kClose));
}

void ListenDoor::Admit() {
  closed_ = false;
  TellAll(PacketOf(Say::kOpen));
}

void ListenDoor::Adopt(uint32_t slot, const net::Address& address, Fd listener) {
  for (const auto& [fd, asker] : askers_) {
    if (std::count(asker.listens_on.begin(), asker.listens_on.end(), address) > 0) {
      SendPacket(fd, AdoptPacket(slot, address), listener.get());
    }
  }
  adopted_.emplace(slot, std::make_pair(address, std::move(listener)));
}

void ListenDoor::Release(uint32_t slot) {
  adopted_.erase(slot);
  TellAll(PacketOf(Say::kRelease, slot));
}

Life ListenDoor::Total() {
  Life total = departed_;
  for (auto& [fd, asker] : askers_) {
    if (!asker.life.has_value()) continue;
    const Life life = asker.life->Read();
    total.turns += life.turns;
    total.accepts += life.accepts;
    total.closes += life.closes;
  }
  return total;
}

std::optional<ListenDoor::Tally> ListenDoor::Connections() const {
  Tally all;
  for (const auto& [fd, asker] : askers_) {
    if (asker.listens_on.empty()) continue;
    if (!asker.tally.has_value()) return std::nullopt;
    all.open += asker.tally->open;
    all.busy += asker.tally->busy;
  }
  return all;
}

bool ListenDoor::anybody_listens() const {
  return std::any_of(askers_.begin(), askers_.end(),
                     [](const auto& entry) { return !entry.second.listens_on.empty(); });
}

pid_t ListenDoor::accepting_pid() const {
  AskerId first = 0;
  pid_t pid = 0;
  for (const auto& [fd, asker] : askers_) {
    if (asker.listens_on.empty() || (first != 0 && asker.id > first)) continue;
    first = asker.id;
    pid = asker.pid;
  }
  return pid;
}

}  // namespace uc::exec
