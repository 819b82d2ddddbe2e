// Acceptor: takes connections from the listeners of a slot.
//
// A poll in the ring and an inline accept4, never an accept in the ring: a worker that is stopped or killed
// with accepts in flight takes connections with it (DESIGN.md 7); with a poll the queue stays whole, for
// the successor that shares the socket.
#ifndef CORE_WORKER_ACCEPTOR_H_
#define CORE_WORKER_ACCEPTOR_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/ring/ring.h"
#include "core/scoreboard/layout.h"

namespace uc::worker {

class Acceptor {
 public:
  Acceptor(ring::Ring& ring, scoreboard::WorkerRow& row, std::vector<Fd> listeners);

  // Takes connections from these as well (of a slot that was retired).
  void Adopt(std::vector<Fd> listeners);
  // Polls all listeners, unless closed or blocked.
  void Arm();
  // A poll has completed. Hands at most `room` connections to `take(Fd)`. Arm() again afterwards.
  template <typename Take>
  void OnReadable(uint32_t index, uint32_t room, const Take& take) {
    armed_[index] = false;
    Accept(listeners_[index], room, take);
  }
  // Everything that waits now, at most `room`.
  template <typename Take>
  void Sweep(uint32_t room, const Take& take) {
    for (const Fd& listener : listeners_) Accept(listener, room, take);
  }
  // Out of descriptors or memory: wait for the next tick before trying again.
  bool blocked() const { return blocked_; }
  void Unblock() { blocked_ = false; }

  // Takes the polls back. Their completions still come; until then the kernel keeps the sockets.
  void Disarm();
  void OnDisarmed(uint32_t index) { armed_[index] = false; }
  bool armed() const { return std::find(armed_.begin(), armed_.end(), true) != armed_.end(); }
  // Our descriptors only: whoever else holds the sockets goes on.
  void Close();
  const std::vector<Fd>& listeners() const { return listeners_; }

 private:
  static constexpr uint32_t kAcceptsPerPoll = 64;  // then the accepted ones get their turn

  // The next connection; empty when there is none, or when it cannot be taken (then blocked()).
  Fd Next(const Fd& listener);
  template <typename Take>
  void Accept(const Fd& listener, uint32_t room, const Take& take) {
    for (uint32_t taken = 0; taken < room && taken < kAcceptsPerPoll; ++taken) {
      Fd connection = Next(listener);
      if (!connection.valid()) return;
      take(std::move(connection));
    }
  }

  ring::Ring& ring_;
  scoreboard::WorkerRow& row_;
  std::vector<Fd> listeners_;
  std::vector<bool> armed_;
  bool blocked_ = false;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_ACCEPTOR_H_
