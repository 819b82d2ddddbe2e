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
// CAP_BPF alone will do, because nothing in the loop branches on a slot and its pointers come from the map in each
// turn: otherwise the verifier looks at every speculation as well, which only CAP_PERFMON spares (sanitize_ptr_alu()
// in kernel/bpf/verifier.c). Refused: a plain loop (it is not accepted, with neither capability), and an unrolled one
// (accepted, but 25,000 instructions, and dearer with few slots).
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
static __always_inline void Consider(struct Search* search, __u64 key, __u64 live) {
  __u64 dead = live - 1;
  OPAQUE(dead);
  key |= dead & NOBODY;
  __s64 difference = key - search->best;
  __s64 less = difference >> 63;
  OPAQUE(less);
  search->best += difference & less;
}

// How many turns the slot is away from the one whose turn it is.
static __always_inline __u64 Turns(const struct Search* search, __s64 slot) {
  __s64 turns = slot - (__s64)search->grounds;
  __s64 before = turns >> 63;
  OPAQUE(before);
  return turns + (search->slots & before);
}

static long LookAtLoad(__u32 slot, struct Search* search) {
  struct SteeringState* all = State();
  if (!all) return 1;
  struct SlotState* state = &all->slot[slot & SLOT_MASK];
  __u64 counts = state->counts;
  __u64 weight = ((counts & 0xffffffff) + (counts >> 32)) & WEIGHT_MAX;
  Consider(search, weight << 32 | Turns(search, slot) << 8 | slot, state->live);
  return 0;
}

static long LookAtTurn(__u32 slot, struct Search* search) {
  struct SteeringState* all = State();
  if (!all) return 1;
  struct SlotState* state = &all->slot[slot & SLOT_MASK];
  Consider(search, Turns(search, slot) << 8 | slot, state->live);
  return 0;
}

// The slot whose mixture is the least: each live slot is equally likely, whichever are missing.
static long LookAtMixture(__u32 slot, struct Search* search) {
  struct SteeringState* all = State();
  if (!all) return 1;
  struct SlotState* state = &all->slot[slot & SLOT_MASK];
  __u64 mixture = Mix(search->grounds + slot * 0x9e3779b9u) & 0x7fffffff;
  Consider(search, mixture << 8 | slot, state->live);
  return 0;
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
    bpf_loop(search.slots, LookAtLoad, &search, 0);
    if (search.best == NOBODY) return SK_PASS;
    __u64* counts = &all->slot[search.best & SLOT_MASK].counts;
    __u64 seen = *(volatile __u64*)counts;
    __u64 weight = ((seen & 0xffffffff) + (seen >> 32)) & WEIGHT_MAX;
    if (weight != search.best >> 32 && tries + 1 < TRIES) continue;
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
    bpf_loop(search.slots, LookAtTurn, &search, 0);
    if (search.best == NOBODY) return SK_PASS;
    if (__sync_val_compare_and_swap(&all->last, last, search.best & SLOT_MASK) == last) break;
  }
  return Select(context, all, search.best);
}

static __always_inline int SteerByMixture(struct sk_reuseport_md* context, __u32 with) {
  struct SteeringState* all = State();
  if (!all) return SK_PASS;
  struct Search search = {.best = NOBODY, .slots = all->slots, .grounds = with};
  bpf_loop(search.slots, LookAtMixture, &search, 0);
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
