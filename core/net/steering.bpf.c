// The steering program: names the slot that gets a connection, in the kernel, when its SYN (or a syncookie's ACK)
// comes, and again when a listener is shut down and its queue moves on: the choice is the same.
//
// One entry per --balance; Steering loads one of them, once for each listen address. Of all live slots the one with
// the smallest key wins: a weight, then a tie-break, then the slot itself.
//   least-connections  load + pend   turns from a start that moves on
//   round-robin        -             the same
//   random, hash       -             a mixture of the slot with chance / with the client's hash
// Nobody live: the kernel's own hash decides, over all sockets of the group.
//
// Unrolled, with constant offsets and without a branch that depends on a slot: so the verifier walks it once, and
// CAP_BPF alone will do (a computed pointer or a branch would have it look at every speculation as well, which only
// CAP_PERFMON spares; sanitize_ptr_alu() in kernel/bpf/verifier.c).
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/types.h>

#include "core/net/steering_state.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct SteeringState);
} steering_state SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
  __uint(max_entries, kSteeredSlotsMax);
  __type(key, __u32);
  __type(value, __u64);
} slot_sockets SEC(".maps");

#define NOBODY 0x7fffffffffffffffULL
#define WEIGHT_MAX 0x3fffffff

// The compiler must not see that a value is a comparison's result: it would make a branch of it, and the verifier
// would walk 2^256 ways.
#define OPAQUE(value) asm volatile("" : "+r"(value))

// One slot after the other: else the compiler reads them all ahead and has nowhere to put them.
#define IN_ORDER(best, start) asm volatile("" : "+r"(best), "+r"(start) : : "memory")

static __always_inline __u32 Mix(__u32 x) {
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  x *= 0x846ca68b;
  return x ^ (x >> 16);
}

// `live` is 0 or 1. Both keys are below 2^63, so the sign of the difference is the order.
static __always_inline __u64 Least(__u64 best, __u64 key, __u64 live) {
  __u64 dead = live - 1;
  OPAQUE(dead);
  key |= dead & NOBODY;
  __s64 difference = key - best;
  __s64 less = difference >> 63;
  OPAQUE(less);
  return best + (difference & less);
}

// How many turns the slot is away from `first`.
static __always_inline __u64 Turns(__s64 slot, __s64 first, __s64 slots) {
  __s64 turns = slot - first;
  __s64 before = turns >> 63;
  OPAQUE(before);
  return turns + (slots & before);
}

#define FOUR(LOOK, i) LOOK(i) LOOK((i) + 1) LOOK((i) + 2) LOOK((i) + 3)
#define SIXTEEN(LOOK, i) FOUR(LOOK, i) FOUR(LOOK, (i) + 4) FOUR(LOOK, (i) + 8) FOUR(LOOK, (i) + 12)
// Slots that were never used are not looked at.
#define ALL(LOOK)                                                                                  \
  SIXTEEN(LOOK, 0)                                                                                 \
  if (slots > 16) {                                                                                \
    SIXTEEN(LOOK, 16)                                                                              \
  }                                                                                                \
  if (slots > 32) {                                                                                \
    SIXTEEN(LOOK, 32) SIXTEEN(LOOK, 48)                                                            \
  }                                                                                                \
  if (slots > 64) {                                                                                \
    SIXTEEN(LOOK, 64) SIXTEEN(LOOK, 80) SIXTEEN(LOOK, 96) SIXTEEN(LOOK, 112)                       \
  }                                                                                                \
  if (slots > 128) {                                                                               \
    SIXTEEN(LOOK, 128)                                                                             \
    SIXTEEN(LOOK, 144) SIXTEEN(LOOK, 160) SIXTEEN(LOOK, 176) SIXTEEN(LOOK, 192) SIXTEEN(LOOK, 208) \
        SIXTEEN(LOOK, 224) SIXTEEN(LOOK, 240)                                                      \
  }

static __always_inline struct SteeringState* State(void) {
  const __u32 zero = 0;
  return bpf_map_lookup_elem(&steering_state, &zero);
}

// True: the connection goes to the slot in the low byte of `best`. Else the kernel's hash decides, over all sockets
// of the group.
static __always_inline int Select(struct sk_reuseport_md* context, struct SteeringState* all,
                                  __u64 best) {
  __u32 chosen = best & 0xff;
  if (best == NOBODY) return 0;
  if (bpf_sk_select_reuseport(context, &slot_sockets, &chosen, 0) == 0) return 1;
  __sync_fetch_and_add(&all->failed_selects, 1);
  return 0;
}

SEC("sk_reuseport/migrate")
int steer_by_load(struct sk_reuseport_md* context) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  const __u64 slots = all->slots;
  if (slots == 0) return SK_PASS;
  __u64 first = __sync_fetch_and_add(&all->rr, 1) % slots;
  __u64 best = NOBODY;
#define LOOK(i)                                                                    \
  best = Least(best,                                                               \
               ((__u64)all->slot[i].load + all->slot[i].pend & WEIGHT_MAX) << 32 | \
                   Turns(i, first, slots) << 8 | (i),                              \
               all->slot[i].live);                                                 \
  IN_ORDER(best, first);
  ALL(LOOK)
#undef LOOK
  if (Select(context, all, best)) __sync_fetch_and_add(&all->slot[best & 0xff].pend, 1);
  return SK_PASS;
}

SEC("sk_reuseport/migrate")
int steer_in_turn(struct sk_reuseport_md* context) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  const __u64 slots = all->slots;
  if (slots == 0) return SK_PASS;
  __u64 first = __sync_fetch_and_add(&all->rr, 1) % slots;
  __u64 best = NOBODY;
#define LOOK(i)                                                             \
  best = Least(best, Turns(i, first, slots) << 8 | (i), all->slot[i].live); \
  IN_ORDER(best, first);
  ALL(LOOK)
#undef LOOK
  Select(context, all, best);
  return SK_PASS;
}

// The slot whose mixture with the seed is the least: each live slot is equally likely, whichever are missing.
static __always_inline int ByChance(struct sk_reuseport_md* context, __u32 seed) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  const __u64 slots = all->slots;
  __u64 best = NOBODY;
#define LOOK(i)                                                                                   \
  best =                                                                                          \
      Least(best, (__u64)(Mix(seed + (i)*0x9e3779b9u) & 0x7fffff) << 8 | (i), all->slot[i].live); \
  IN_ORDER(best, seed);
  ALL(LOOK)
#undef LOOK
  Select(context, all, best);
  return SK_PASS;
}

SEC("sk_reuseport/migrate")
int steer_by_chance(struct sk_reuseport_md* context) {
  return ByChance(context, bpf_get_prandom_u32());
}

SEC("sk_reuseport/migrate")
int steer_by_hash(struct sk_reuseport_md* context) { return ByChance(context, Mix(context->hash)); }

char _license[] SEC("license") = "GPL";
