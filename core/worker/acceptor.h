// Acceptor: takes connections from the listeners of a slot, and of the slots that its worker stands in for.
//
// A poll in the ring and an inline accept4, never an accept in the ring: a worker that is stopped or killed
// with accepts in flight takes connections with it (DESIGN.md 7); with a poll the queue stays whole, for
// whoever shares the socket.
#ifndef CORE_WORKER_ACCEPTOR_H_
#define CORE_WORKER_ACCEPTOR_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/base/fd.h"
#include "core/ring/ring.h"
#include "core/scoreboard/layout.h"

namespace uc::worker {

class Acceptor {
 public:
  Acceptor(ring::Ring& ring, scoreboard::Report& row, uint32_t slot, std::vector<Fd> listeners);

  // Takes connections from these as well, which belong to another slot; until Release.
  void Adopt(uint32_t slot, std::vector<Fd> listeners);
  void Release(uint32_t slot);
  // The other slots that it accepts for at present, in order.
  std::vector<uint32_t> adopted() const;
  // The sockets of a slot, borrowed.
  std::vector<int> listeners(uint32_t slot) const;

  // One more of the slot's own.
  void Add(Fd listener) { Add(slot_, std::move(listener)); }
  // `call(const Fd&)` with each of the slot's own, until one does not return OK.
  template <typename Call>
  absl::Status ForEachOwn(const Call& call) const {
    for (const Source& source : sources_) {
      if (!source.fd.valid() || source.slot != slot_) continue;
      if (absl::Status status = call(source.fd); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Polls all listeners, unless blocked.
  void Arm();
  enum class Left {
    kNothing,
    kSome,    // perhaps: one turn takes only so many
    kNoRoom,  // there are some; full() until RoomAgain()
  };
  // A poll has completed. Hands connections to `take(Fd, slot whose they were)`, each if `may_take()`.
  // Arm() again afterwards.
  template <typename MayTake, typename Take>
  Left OnReadable(ring::Tag tag, const MayTake& may_take, const Take& take) {
    Source* const source = Disarmed(tag);
    if (source == nullptr) return Left::kNothing;
    for (uint32_t taken = 0; taken < kAcceptsPerPoll; ++taken) {
      if (!may_take()) {
        full_ = true;
        return Left::kNoRoom;
      }
      Fd connection = Next(*source);
      if (!connection.valid()) return Left::kNothing;
      take(std::move(connection), source->slot);
    }
    return Left::kSome;
  }
  // Everything that waits now, at most `room`: before the last descriptor goes.
  template <typename Take>
  void Sweep(uint32_t room, const Take& take) {
    for (Source& source : sources_) {
      while (room > 0 && source.fd.valid()) {
        Fd connection = Next(source);
        if (!connection.valid()) break;
        take(std::move(connection), source.slot);
        --room;
      }
    }
  }
  // Out of descriptors or memory: wait for the next tick before trying again.
  bool blocked() const { return blocked_; }
  void Unblock() { blocked_ = false; }
  // Connections wait, and there is no room for them.
  bool full() const { return full_; }
  void RoomAgain() { full_ = false; }

  // Lets all listeners go, our descriptors only: whoever else holds the sockets goes on. The polls' last
  // completions still come; until then the kernel keeps the sockets.
  void Close();
  bool armed() const;

 private:
  // Then the accepted ones get their turn. What is accepted and not answered dies with its worker, what waits in
  // the queue does not: of 20 workers that were killed under full load 64 lost 13 connections.
  static constexpr uint32_t kAcceptsPerPoll = 8;

  struct Source {
    Fd fd;  // not valid: the place is free, once it is not armed any more
    uint32_t slot = 0;
    uint32_t generation = 0;  // of the place
    bool armed = false;
  };
  void Add(uint32_t slot, Fd fd);
  void Drop(Source& source);
  // The source that may be accepted from; nullptr: it was dropped meanwhile.
  Source* Disarmed(ring::Tag tag);
  // The next connection; empty when there is none, or when it cannot be taken (then blocked()).
  Fd Next(Source& source);
  ring::Tag TagOf(const Source& source) const {
    return {ring::Op::kAccept, source.generation, static_cast<uint32_t>(&source - sources_.data())};
  }

  ring::Ring& ring_;
  scoreboard::Report& row_;
  const uint32_t slot_;
  std::vector<Source> sources_;
  bool blocked_ = false;
  bool full_ = false;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_ACCEPTOR_H_
