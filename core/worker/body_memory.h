// BodyMemory: bodies that are held whole, bounded in sum. PURE.
//
// A request claims the memory of its whole body before any of it is read: then each body that has begun can also be
// completed. A claim that does not fit waits, first come, first served; reading of its connection stops. A body
// that is larger than the bound has its turn when nothing else is held. What a waiting request has brought along stays
// in memory, up to what one receive brings: only so many may wait that this is no more than the bound again.
// Refused: counting the bytes that have come. It admits more bodies, but many that are half read can fill the
// memory, and then none of them is ever completed.
#ifndef CORE_WORKER_BODY_MEMORY_H_
#define CORE_WORKER_BODY_MEMORY_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace uc::worker {

class Connection;

// Part of each request that is under way; belongs to at most one BodyMemory.
struct BodyClaim {
  enum class State {
    kNone,
    kWaiting,  // for memory
    kHeld,
  };
  State state = State::kNone;
  size_t bytes = 0;
  Connection* owner = nullptr;
  BodyClaim* previous = nullptr;  // while it waits
  BodyClaim* next = nullptr;

  bool waiting() const { return state == State::kWaiting; }
};

class BodyMemory {
 public:
  explicit BodyMemory(size_t bytes_max) : bytes_max_(bytes_max) {}
  BodyMemory(const BodyMemory&) = delete;
  BodyMemory& operator=(const BodyMemory&) = delete;

  // From kNone to kHeld, or to kWaiting; stays kNone when too many wait.
  void Claim(BodyClaim& claim, Connection* owner, size_t bytes) {
    claim.owner = owner;
    claim.bytes = bytes;
    if (first_ == nullptr && Fits(bytes)) {
      Hold(claim);
    } else if (waiting_ < std::max(kWaitingMin, bytes_max_ / kBytesOfWaiting)) {
      Append(claim);
    }
  }
  // The body turned out to be smaller.
  void Shrink(BodyClaim& claim, size_t bytes) {
    if (claim.state != BodyClaim::State::kHeld || bytes >= claim.bytes) return;
    held_ -= claim.bytes - bytes;
    claim.bytes = bytes;
    Grant();
  }
  // To kNone, from any state.
  void Release(BodyClaim& claim) {
    switch (claim.state) {
      case BodyClaim::State::kNone:
        return;
      case BodyClaim::State::kWaiting:
        Unlink(claim);
        break;
      case BodyClaim::State::kHeld:
        held_ -= claim.bytes;
        break;
    }
    claim.state = BodyClaim::State::kNone;
    Grant();
  }

  bool waited_for() const { return first_ != nullptr; }
  size_t held() const { return held_; }
  // The owners of claims that have waited and are held now.
  std::vector<Connection*>& granted() { return granted_; }

 private:
  static constexpr size_t kBytesOfWaiting = 64 * 1024;
  static constexpr size_t kWaitingMin = 16;

  bool Fits(size_t bytes) const {
    return held_ == 0 || (held_ <= bytes_max_ && bytes <= bytes_max_ - held_);
  }
  void Hold(BodyClaim& claim) {
    claim.state = BodyClaim::State::kHeld;
    held_ += claim.bytes;
  }
  void Grant() {
    while (first_ != nullptr && Fits(first_->bytes)) {
      BodyClaim& claim = *first_;
      Unlink(claim);
      Hold(claim);
      granted_.push_back(claim.owner);
    }
  }
  void Append(BodyClaim& claim) {
    claim.state = BodyClaim::State::kWaiting;
    claim.previous = last_;
    claim.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &claim;
    last_ = &claim;
    ++waiting_;
  }
  void Unlink(BodyClaim& claim) {
    (claim.previous != nullptr ? claim.previous->next : first_) = claim.next;
    (claim.next != nullptr ? claim.next->previous : last_) = claim.previous;
    claim.previous = claim.next = nullptr;
    --waiting_;
  }

  const size_t bytes_max_;
  size_t held_ = 0;
  size_t waiting_ = 0;
  BodyClaim* first_ = nullptr;
  BodyClaim* last_ = nullptr;
  std::vector<Connection*> granted_;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_BODY_MEMORY_H_
