#include "core/worker/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/scoreboard/scoreboard.h"

namespace uc::worker {

Acceptor::Acceptor(ring::Ring& ring, scoreboard::Report& row, uint32_t slot,
                   std::vector<Fd> listeners)
    : ring_(ring), row_(row), slot_(slot) {
  for (Fd& listener : listeners) Add(slot, std::move(listener));
}

void Acceptor::Add(uint32_t slot, Fd fd) {
  const auto free = std::find_if(sources_.begin(), sources_.end(), [](const Source& source) {
    return !source.fd.valid() && !source.armed;
  });
  Source& source = free != sources_.end() ? *free : sources_.emplace_back();
  source.generation = (source.generation + 1) & ring::kGenerationMask;
  source.slot = slot;
  source.fd = std::move(fd);
}

void Acceptor::Drop(Source& source) {
  if (source.armed) ring_.Cancel(TagOf(source));
  source.fd.Reset();
}

void Acceptor::Adopt(uint32_t slot, std::vector<Fd> listeners) {
  if (slot == slot_) return;
  Release(slot);  // the sockets of former times may be others
  for (Fd& listener : listeners) Add(slot, std::move(listener));
}

void Acceptor::Release(uint32_t slot) {
  for (Source& source : sources_) {
    if (source.slot == slot && slot != slot_ && source.fd.valid()) Drop(source);
  }
}

std::vector<uint32_t> Acceptor::adopted() const {
  std::set<uint32_t> slots;
  for (const Source& source : sources_) {
    if (source.fd.valid() && source.slot != slot_) slots.insert(source.slot);
  }
  return {slots.begin(), slots.end()};
}

std::vector<int> Acceptor::listeners(uint32_t slot) const {
  std::vector<int> listeners;
  for (const Source& source : sources_) {
    if (source.fd.valid() && source.slot == slot) listeners.push_back(source.fd.get());
  }
  return listeners;
}

[[gnu::hot]] void Acceptor::Arm() {
  if (blocked_ || full_) return;
  for (Source& source : sources_) {
    if (source.armed || !source.fd.valid()) continue;
    source.armed = true;
    ring_.PollOnce(source.fd.get(), POLLIN, TagOf(source));
  }
}

Acceptor::Source* Acceptor::Disarmed(ring::Tag tag) {
  if (tag.index >= sources_.size()) return nullptr;
  Source& source = sources_[tag.index];
  if (tag.generation != source.generation) return nullptr;
  source.armed = false;
  return source.fd.valid() ? &source : nullptr;
}

[[gnu::hot]] Fd Acceptor::Next(Source& source) {
  constexpr int kTries = 64;  // of connections that were gone before we took them
  for (int tries = 0; tries < kTries; ++tries) {
    // Not SOCK_NONBLOCK: io_uring gives up on such sockets where it should wait (REQ_F_NOWAIT).
    Fd connection(accept4(source.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.valid()) return connection;
    switch (errno) {
      case EAGAIN:  // the queue is empty, or another worker of this slot was quicker
        return Fd();
      case EINVAL:  // does not listen (any more): its queue was moved to others
        Drop(source);
        return Fd();
      case EINTR:
      case ECONNABORTED:  // gone before we took it
      case EPERM:         // a firewall's word about one connection
      case EPROTO:
      case ENETDOWN:
      case EHOSTUNREACH:
      case ENETUNREACH:
      case EOPNOTSUPP:
        continue;
      default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM
        scoreboard::Add(row_.counters.accept_errors, 1);
        blocked_ = true;
        return Fd();
    }
  }
  scoreboard::Add(row_.counters.accept_errors, 1);
  blocked_ = true;
  return Fd();
}

void Acceptor::Close() {
  for (Source& source : sources_) {
    if (source.fd.valid()) Drop(source);
  }
}

bool Acceptor::armed() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const Source& source) { return source.armed; });
}

}  // namespace uc::worker
