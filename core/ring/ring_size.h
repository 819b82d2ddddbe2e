// RingSize: how large a worker's io_uring is made, and what it takes of the user's locked memory. PURE.
//
// Without CAP_IPC_LOCK the kernel counts the pages of a ring against RLIMIT_MEMLOCK, in sum for all processes of a
// user (io_create_region() of Linux 6.14 and newer; 5.11 and older). The receive memory itself is not counted. A
// smaller ring enters the kernel more often when much happens at one time, and loses nothing.
#ifndef CORE_RING_RING_SIZE_H_
#define CORE_RING_RING_SIZE_H_

#include <cstdint>

#include "core/ring/ring.h"

namespace uc::ring {

// Submissions, the most first; completions are four times as many.
inline constexpr uint32_t kRingEntries[] = {1024, 512, 256, 128, 64, 32};
inline constexpr uint32_t kRingEntriesMost = kRingEntries[0];
inline constexpr uint32_t kRingEntriesLeast = 32;

RingOptions WithEntries(uint32_t entries);
// What a ring of so many entries locks, its ring of receive buffers included. 0 of 0.
uint64_t LockedBytes(uint32_t entries);
// The most entries with which `rings` of them fit into `bytes`; kRingEntriesLeast if none do.
uint32_t EntriesThatFit(uint64_t bytes, uint64_t rings);

}  // namespace uc::ring

#endif  // CORE_RING_RING_SIZE_H_
