// SlotLoad: a worker's end of steering: its slot's counts in the state map. Several workers of a slot may count at
// one time.
//
// Connections that were promised and never came (a SYN whose handshake was not finished, a syncookie counted twice)
// have to be forgotten, or the slot would be passed over for nothing. What is pending although the queue is empty
// is either one of these or still under way; what stays pending through many looks is one of these.
#ifndef CORE_NET_SLOT_LOAD_H_
#define CORE_NET_SLOT_LOAD_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/net/steering_state.h"

namespace uc::net {

// The state map in this process's memory. Unmapped at the end of its life.
struct UnmapState {
  void operator()(SteeringState* state) const;
};
using MappedState = std::unique_ptr<SteeringState, UnmapState>;
absl::StatusOr<MappedState> MapSteeringState(const Fd& state_map);

class SlotLoad {
 public:
  static absl::StatusOr<SlotLoad> Map(const Fd& state_map, uint32_t slot);

  // A connection taken from the listener of slot `from` (another one's, while we stand in for it): one pending
  // less there (never below 0), one load more here.
  void Accepted(uint32_t from);
  // So many of its own listener, and so many that have gone, at once.
  void Counted(uint64_t accepted, uint64_t gone);
  // One that came from another worker, or went: load only.
  void Gained();
  void Lost();
  // The slot's queue is empty, as far as we know.
  void SeenEmpty();
  // Once in a while: what was pending at each SeenEmpty() since the last time never came.
  void ForgetPending();

 private:
  SlotLoad(MappedState state, uint32_t slot) : state_(std::move(state)), slot_(slot) {}

  MappedState state_;
  uint32_t slot_;
  uint32_t always_pending_ = UINT32_MAX;  // at each SeenEmpty()
};

}  // namespace uc::net

#endif  // CORE_NET_SLOT_LOAD_H_
