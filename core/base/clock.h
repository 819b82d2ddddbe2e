// The monotonic clock, read at the edges only: decisions get `now` as an argument.
//
// Instants of this clock are absl::Time values counted from boot. They order and subtract; they are
// never shown as dates. Dates (logs, HTTP) come from absl::Now().
#ifndef CORE_BASE_CLOCK_H_
#define CORE_BASE_CLOCK_H_

#include <cstdint>

#include "absl/time/time.h"

namespace uc {

// CLOCK_MONOTONIC in nanoseconds: the same for all processes of the machine, so that a heartbeat
// written by a worker can be compared by the coordinator.
int64_t MonotonicNanos();
// The same clock as it stood at the last tick (1 to 10 ms ago at most), for a fifth of the price.
int64_t CoarseMonotonicNanos();

inline absl::Time MonotonicTime(int64_t nanos) { return absl::FromUnixNanos(nanos); }
inline absl::Time MonotonicNow() { return MonotonicTime(MonotonicNanos()); }

}  // namespace uc

#endif  // CORE_BASE_CLOCK_H_
