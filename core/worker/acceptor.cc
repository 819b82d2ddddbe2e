#include "core/worker/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "core/scoreboard/scoreboard.h"

namespace uc::worker {
namespace {

bool SameSocket(const Fd& a, const Fd& b) {
  struct stat of_a, of_b;
  return fstat(a.get(), &of_a) == 0 && fstat(b.get(), &of_b) == 0 && of_a.st_ino == of_b.st_ino;
}

}  // namespace

Acceptor::Acceptor(ring::Ring& ring, scoreboard::WorkerRow& row, std::vector<Fd> listeners)
    : ring_(ring), row_(row), listeners_(std::move(listeners)), armed_(listeners_.size(), false) {}

void Acceptor::Adopt(std::vector<Fd> listeners) {
  for (Fd& listener : listeners) {
    // A slot that was retired, used again and retired again brings a socket that we have already.
    const bool known = std::any_of(listeners_.begin(), listeners_.end(),
                                   [&](const Fd& other) { return SameSocket(listener, other); });
    if (known) continue;
    listeners_.push_back(std::move(listener));
    armed_.push_back(false);
  }
}

void Acceptor::Arm() {
  if (blocked_) return;
  for (uint32_t index = 0; index < listeners_.size(); ++index) {
    if (armed_[index]) continue;
    armed_[index] = true;
    ring_.PollOnce(listeners_[index].get(), POLLIN, {ring::Op::kAccept, 0, index});
  }
}

Fd Acceptor::Next(const Fd& listener) {
  for (;;) {
    // Not SOCK_NONBLOCK: io_uring gives up on such sockets where it should wait (REQ_F_NOWAIT).
    Fd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.valid()) return connection;
    switch (errno) {
      case EAGAIN:  // the queue is empty, or another worker of this slot was quicker
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
}

void Acceptor::Disarm() {
  for (uint32_t index = 0; index < listeners_.size(); ++index) {
    if (armed_[index]) ring_.Cancel({ring::Op::kAccept, 0, index});
  }
}

void Acceptor::Close() { listeners_.clear(); }

}  // namespace uc::worker
