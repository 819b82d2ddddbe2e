// The steering program: names the slot that gets a connection, in the kernel, when its SYN (or a syncookie's ACK)
// comes, and again when a listener is shut down and its queue moves on: the choice is the same.
//
// One entry per --balance; Steering loads one of them, once for each listen address. Of all live slots the one with
// the smallest key wins: a weight, then a tie-break, then the slot itself.
//   least-connections  open + pending   turns after the slot that was chosen last
//   round-robin        -                the same
//   random, hash       -                a mixture of the slot with chance / with the client's hash
// Nobody live, or its socket gone: the kernel's own hash decides, over all sockets of the group.
//
// Two processors may choose at one time: who finds that the grounds of the choice have changed chooses again, so
// the spread is exact.
//
// CAP_BPF alone will do, because nothing in the loop branches on a slot, and a batch of slots is read at constant
// offsets from one pointer: otherwise the verifier looks at every speculation as well, which only CAP_PERFMON spares
// (sanitize_ptr_alu() in kernel/bpf/verifier.c). What is found so far stays in a register during a batch: without
// CAP_PERFMON each store to the stack is followed by a barrier, about 10 ns a slot.
// Refused: a plain loop over the slots (not accepted, with neither capability); one slot a turn (3.0 us for 256 slots
// beside 1.3); all 256 unrolled (0.8 us, and 0.22 beside 0.24 with 4 slots, but 12,000 instructions to walk for each
// entry, and no room to choose again).
#include <linux/bpf.h>
#include <linux/types.h>
// Needs them before it.
#include <bpf/bpf_helpers.h>

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
#define ONE_PENDING (1ULL << 32)
#define BATCH 16  // slots a turn of the loop
#define SLOT_MASK (kSteeredSlotsMax - 1)

// The compiler must not see that a value is a comparison's result: it would make a branch of it.
#define OPAQUE(value) asm volatile("" : "+r"(value))

struct Search {
  __u64 best;  // the least key so far
  __u64 slots;
  __u64 grounds;  // the turn-taking ones: who comes first; the others: what the slot is mixed with
};

static __always_inline struct SteeringState* State(void) {
  const __u32 zero = 0;
  return bpf_map_lookup_elem(&steering_state, &zero);
}

static __always_inline __u32 Mix(__u32 x) {
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  x *= 0x846ca68b;
  return x ^ (x >> 16);
}

// `live` is 0 or 1. All keys are below 2^63, so the sign of the difference is the order.
static __always_inline __u64 Least(__u64 best, __u64 key, __u64 live) {
  __u64 dead = live - 1;
  OPAQUE(dead);
  key |= dead & NOBODY;
  __s64 difference = key - best;
  __s64 less = difference >> 63;
  OPAQUE(less);
  return best + (difference & less);
}

// How many turns the slot is away from the one whose turn it is.
static __always_inline __u64 Turns(const struct Search* search, __s64 slot) {
  __s64 turns = slot - (__s64)search->grounds;
  __s64 before = turns >> 63;
  OPAQUE(before);
  return turns + (search->slots & before);
}

static __always_inline __u64 Weight(__u64 counts) {
  return ((counts & 0xffffffff) + (counts >> 32)) & WEIGHT_MAX;
}

static __always_inline __u64 KeyByLoad(const struct Search* search, __u32 slot, __u64 counts) {
  return Weight(counts) << 24 | Turns(search, slot);
}

static __always_inline __u64 KeyByTurn(const struct Search* search, __u32 slot, __u64 counts) {
  (void)counts;
  return Turns(search, slot);
}

// The slot whose mixture is the least: each live slot is equally likely, whichever are missing.
static __always_inline __u64 KeyByMixture(const struct Search* search, __u32 slot, __u64 counts) {
  (void)counts;
  return Mix(search->grounds + slot * 0x9e3779b9u) & 0x7fffffff;
}

// One slot after the other: else the compiler reads them all ahead and has nowhere to put them.
#define IN_ORDER(best) asm volatile("" : "+r"(best) : : "memory")

// The callbacks of bpf_loop(). Those of a batch that are not put are not live either.
#define LOOK(Name, Key)                                          \
  static long Name(__u32 batch, struct Search* search) {         \
    struct SteeringState* all = State();                         \
    if (!all) return 1;                                          \
    __u32 first = batch * BATCH & (kSteeredSlotsMax - BATCH);    \
    struct SlotState* state = &all->slot[first];                 \
    const struct Search before = *search;                        \
    __u64 best = before.best;                                    \
    _Pragma("unroll") for (__u32 i = 0; i < BATCH; ++i) {        \
      __u64 key = Key(&before, first + i, state[i].counts);      \
      best = Least(best, key << 8 | (first + i), state[i].live); \
      IN_ORDER(best);                                            \
    }                                                            \
    search->best = best;                                         \
    return 0;                                                    \
  }

LOOK(LookByLoad, KeyByLoad)
LOOK(LookByTurn, KeyByTurn)
LOOK(LookByMixture, KeyByMixture)

static __always_inline __u32 Batches(const struct Search* search) {
  return (search->slots + BATCH - 1) / BATCH;
}

// Who was the last.
static __always_inline __u32 BeginTurns(struct Search* search, struct SteeringState* all) {
  __u32 last = *(volatile __u32*)&all->last;
  search->best = NOBODY;
  search->slots = all->slots;
  search->grounds = last + 1;
  if (search->grounds > search->slots) search->grounds = 0;  // there were more slots once
  return last;
}

static __always_inline int Select(struct sk_reuseport_md* context, struct SteeringState* all,
                                  __u64 best) {
  __u32 slot = best & SLOT_MASK;
  if (best != NOBODY && bpf_sk_select_reuseport(context, &slot_sockets, &slot, 0) != 0) {
    __sync_fetch_and_add(&all->failed_selects, 1);
  }
  return SK_PASS;  // with nothing selected the hash decides
}

#define TRIES 4  // then the choice of another processor is put up with

SEC("sk_reuseport/migrate")
int steer_by_load(struct sk_reuseport_md* context) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  struct Search search;
#pragma unroll
  for (int tries = 0; tries < TRIES; ++tries) {
    BeginTurns(&search, all);
    bpf_loop(Batches(&search), LookByLoad, &search, 0);
    if (search.best == NOBODY) return SK_PASS;
    __u64* counts = &all->slot[search.best & SLOT_MASK].counts;
    __u64 seen = *(volatile __u64*)counts;
    if (Weight(seen) != search.best >> 32 && tries + 1 < TRIES) continue;
    if (__sync_val_compare_and_swap(counts, seen, seen + ONE_PENDING) == seen) break;
    if (tries + 1 == TRIES) __sync_fetch_and_add(counts, ONE_PENDING);
  }
  all->last = search.best & SLOT_MASK;
  return Select(context, all, search.best);
}

SEC("sk_reuseport/migrate")
int steer_in_turn(struct sk_reuseport_md* context) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  struct Search search;
#pragma unroll
  for (int tries = 0; tries < TRIES; ++tries) {
    __u32 last = BeginTurns(&search, all);
    bpf_loop(Batches(&search), LookByTurn, &search, 0);
    if (search.best == NOBODY) return SK_PASS;
    if (__sync_val_compare_and_swap(&all->last, last, search.best & SLOT_MASK) == last) break;
  }
  return Select(context, all, search.best);
}

static __always_inline int SteerByMixture(struct sk_reuseport_md* context, __u32 with) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  struct Search search = {.best = NOBODY, .slots = all->slots, .grounds = with};
  bpf_loop(Batches(&search), LookByMixture, &search, 0);
  return Select(context, all, search.best);
}

SEC("sk_reuseport/migrate")
int steer_by_chance(struct sk_reuseport_md* context) {
  return SteerByMixture(context, bpf_get_prandom_u32());
}

SEC("sk_reuseport/migrate")
int steer_by_hash(struct sk_reuseport_md* context) {
  return SteerByMixture(context, Mix(context->hash));
}

char _license[] SEC("license") = "GPL";
