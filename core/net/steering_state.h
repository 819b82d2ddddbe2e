/* The state map's contents, shared by the BPF program (C), the coordinator and the workers (C++, mapped
 * memory). Fixed-width fields. The program reads everything and writes `last`, `failed_selects` and the
 * pending half of `counts`; workers change `counts`; all else is the coordinator's.
 */
#ifndef CORE_NET_STEERING_STATE_H_
#define CORE_NET_STEERING_STATE_H_

#ifdef __cplusplus
#include <cstdint>
namespace uc::net {
using SteeringU32 = uint32_t;
using SteeringU64 = uint64_t;
#else
typedef __u32 SteeringU32;
typedef __u64 SteeringU64;
#endif

enum { kSteeredSlotsMax = 256, kSteeringVersion = 1 };

struct SlotState {
  SteeringU32 live; /* 1: new connections may reach it */
  SteeringU32 unused;
  /* High half: selected for it and not accepted yet. Low half: open connections of its workers. One word, so
   * that a connection goes from one half to the other in one step, and so that a selection can see that its
   * grounds have changed. Neither half ever goes below 0. */
  SteeringU64 counts;
};

struct SteeringState {
  SteeringU32 version;
  SteeringU32 balance; /* of Balance */
  SteeringU32 slots;   /* one past the highest slot that is put: the program looks no further */
  SteeringU32 last;    /* the slot that was chosen last */
  SteeringU64 failed_selects;
  SteeringU64 unused[5];
  struct SlotState slot[kSteeredSlotsMax];
};

#ifdef __cplusplus
}  // namespace uc::net
#endif

#endif /* CORE_NET_STEERING_STATE_H_ */
