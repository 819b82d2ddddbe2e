/* The state map's contents, shared by the BPF program (C), the coordinator and the workers (C++, mapped
 * memory). Fixed-width fields. The program reads everything and adds to `rr`, `pend` and `failed_selects`;
 * workers add to and subtract from their slot's `load` and `pend`; all else is the coordinator's.
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

enum { kSteeredSlotsMax = 256 };

struct SlotState {
  SteeringU32 live; /* 1: new connections may reach it */
  SteeringU32 load; /* open connections of its workers */
  SteeringU32 pend; /* selected for it, not accepted yet */
  SteeringU32 unused;
};

struct SteeringState {
  SteeringU32 version;
  SteeringU32 balance; /* 0 least-connections, 1 round-robin, 2 random, 3 hash */
  SteeringU32 slots;   /* one past the highest slot that was ever put: the program looks no further */
  SteeringU32 rr;      /* moves on with each selection */
  SteeringU64 failed_selects;
  SteeringU64 unused[5];
  struct SlotState slot[kSteeredSlotsMax];
};

#ifdef __cplusplus
struct SlotSteering {
  bool live = false;
  uint32_t load = 0;
  uint32_t pend = 0;
};
}  // namespace uc::net
#endif

#endif /* CORE_NET_STEERING_STATE_H_ */
