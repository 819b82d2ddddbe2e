// HandOver: connections that change their worker with their descriptor. The peer sees nothing of it.
//
// One packet of the inbox (an AF_UNIX SEQPACKET pair) carries the descriptors of idle connections: nothing of
// such a connection is in the giver's memory, so the descriptor is all of it. What the peer has sent meanwhile
// waits in the socket. The giver keeps a connection until the packet is in the inbox; an heir that leaves shuts
// its inbox first, and passes on what is in it, so that none falls between the two.
#ifndef CORE_WORKER_HAND_OVER_H_
#define CORE_WORKER_HAND_OVER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "core/app/app.h"
#include "core/base/fd.h"

namespace uc::worker {

inline constexpr size_t kMovesPerPacket = 32;

// The giver's end: heirs, and how many connections each is to get.
class Heirs {
 public:
  static constexpr uint32_t kUnlimited = UINT32_MAX;

  explicit Heirs(app::Protocol protocol) : protocol_(protocol) {}
  // Replaces the former ones. In turn, until `shares` (one per inbox) are used up.
  void Set(std::vector<Fd> inboxes, std::vector<uint32_t> shares);
  void Clear() { heirs_.clear(); }
  bool any() const { return !heirs_.empty(); }
  // What all of them still take; kUnlimited.
  uint32_t wanted() const;

  // Sends a prefix of the connections, and says how many have been sent: the caller closes these. Fewer than all:
  // every heir is full() at the moment, or there are none any more.
  size_t Give(absl::Span<const int> connections);
  // Poll this for POLLOUT when Give() did not take all; -1: only time helps.
  int full() const { return full_; }

 private:
  struct Heir {
    Fd inbox;
    uint32_t share = 0;
  };
  enum class Result { kSent, kFull, kLater, kGone };
  Result SendPacket(const Heir& heir, absl::Span<const int> connections);

  const app::Protocol protocol_;
  std::vector<Heir> heirs_;
  size_t next_ = 0;
  int full_ = -1;
};

// The heir's end.
class Inbox {
 public:
  Inbox(Fd reading, app::Protocol protocol) : reading_(std::move(reading)), protocol_(protocol) {}
  int fd() const { return reading_.get(); }
  enum class Next {
    kNothing,
    kPacket,
    kTooLarge,  // this process has no descriptors for the next packet's connections
  };
  // What Take() would meet. Descriptors that do not fit would be lost (MSG_CTRUNC, unix(7)): whoever has none leaves
  // the packet where it is.
  Next Look() const;
  // One packet's connections; nullopt: nothing there now. Those of another protocol are closed: the app of this
  // build does not speak it.
  std::optional<std::vector<Fd>> Take();
  // Nobody can put anything in any more; what is in it can still be taken.
  void Shut();
  bool is_shut() const { return is_shut_; }

 private:
  Fd reading_;
  const app::Protocol protocol_;
  bool is_shut_ = false;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_HAND_OVER_H_
