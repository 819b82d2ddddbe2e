#include "core/worker/hand_over.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/log.h"

namespace uc::worker {
namespace {

struct Head {
  uint32_t version = 1;
  uint16_t protocol = 0;
  uint16_t count = 0;
};
constexpr size_t kControlBytes = CMSG_SPACE(kMovesPerPacket * sizeof(int));
constexpr size_t kDescriptorsSpare = 8;  // are left when a packet has been taken

// True if so many descriptors can be had now, whoever uses the others: by having them for a moment.
bool HasFree(size_t count, int any) {
  std::vector<Fd> taken;
  taken.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    taken.emplace_back(fcntl(any, F_DUPFD_CLOEXEC, 0));
    if (!taken.back().valid()) return false;
  }
  return true;
}

}  // namespace

void Heirs::Set(std::vector<Fd> inboxes, std::vector<uint32_t> shares) {
  UC_CHECK(inboxes.size() == shares.size());
  heirs_.clear();
  next_ = 0;
  full_ = -1;
  for (size_t i = 0; i < inboxes.size(); ++i) {
    if (shares[i] > 0) heirs_.push_back({std::move(inboxes[i]), shares[i]});
  }
}

uint32_t Heirs::wanted() const {
  uint64_t wanted = 0;
  for (const Heir& heir : heirs_) wanted += heir.share;
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, kUnlimited));
}

Heirs::Result Heirs::SendPacket(const Heir& heir, absl::Span<const int> connections) {
  Head head;
  head.protocol = static_cast<uint16_t>(protocol_);
  head.count = static_cast<uint16_t>(connections.size());
  iovec part = {&head, sizeof(head)};
  alignas(cmsghdr) char control[kControlBytes] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(connections.size() * sizeof(int));
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(connections.size() * sizeof(int));
  memcpy(CMSG_DATA(rights), connections.data(), connections.size() * sizeof(int));
  for (;;) {
    if (sendmsg(heir.inbox.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Result::kSent;
    switch (errno) {
      case EINTR:
        continue;
      case EAGAIN:  // its queue is full
      case ENOBUFS:
        return Result::kFull;
      case ENOMEM:
      case ETOOMANYREFS:  // more descriptors under way than RLIMIT_NOFILE allows its user (unix(7))
        return Result::kLater;
      default:  // EPIPE, ECONNRESET, ENOTCONN: it has left
        return Result::kGone;
    }
  }
}

size_t Heirs::Give(absl::Span<const int> connections) {
  size_t given = 0;
  size_t refusals = 0;  // in a row
  full_ = -1;
  while (given < connections.size() && refusals < heirs_.size()) {
    next_ %= heirs_.size();
    Heir& heir = heirs_[next_];
    // Small packets while there are several heirs: equal shares also of few connections.
    const size_t fair = (connections.size() - given + heirs_.size() - 1) / heirs_.size();
    const size_t count = std::min({fair, kMovesPerPacket, size_t{heir.share}});
    switch (SendPacket(heir, connections.subspan(given, count))) {
      case Result::kSent:
        given += count;
        refusals = 0;
        if (heir.share != kUnlimited) heir.share -= static_cast<uint32_t>(count);
        if (heir.share == 0) {
          heirs_.erase(heirs_.begin() + static_cast<ptrdiff_t>(next_));
        } else {
          ++next_;
        }
        break;
      case Result::kFull:
        full_ = heir.inbox.get();
        ++refusals;
        ++next_;
        break;
      case Result::kLater:
        full_ = -1;
        return given;
      case Result::kGone:
        heirs_.erase(heirs_.begin() + static_cast<ptrdiff_t>(next_));
        break;
    }
  }
  if (heirs_.empty()) full_ = -1;
  return given;
}

Inbox::Next Inbox::Look() const {
  Head head;
  iovec part = {&head, sizeof(head)};
  msghdr header = {};  // without a place for descriptors none are made
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ssize_t size;
  do {
    size = recvmsg(reading_.get(), &header, MSG_DONTWAIT | MSG_PEEK);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return Next::kNothing;
  const size_t count = std::min<size_t>(head.count, kMovesPerPacket);
  return HasFree(count + kDescriptorsSpare, reading_.get()) ? Next::kPacket : Next::kTooLarge;
}

std::optional<std::vector<Fd>> Inbox::Take() {
  Head head;
  iovec part = {&head, sizeof(head)};
  alignas(cmsghdr) char control[kControlBytes];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = recvmsg(reading_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return std::nullopt;
  std::vector<Fd> connections;
  for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr;
       rights = CMSG_NXTHDR(&header, rights)) {
    if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(fd));
      connections.emplace_back(fd);
    }
  }
  const bool known = size == sizeof(head) && head.version == Head().version &&
                     head.protocol == static_cast<uint16_t>(protocol_);
  if (known && head.count == connections.size()) return connections;
  LogWarning(known ? absl::StrCat(head.count - connections.size(),
                                  " connections of another worker were lost: no descriptors left")
                   : "connections of another worker were closed: this app speaks another protocol");
  if (!known) connections.clear();
  return connections;
}

void Inbox::Shut() {
  is_shut_ = true;
  // What is queued stays readable (unix_dgram_recvmsg takes from the queue first), senders get EPIPE.
  shutdown(reading_.get(), SHUT_RD);
}

}  // namespace uc::worker
