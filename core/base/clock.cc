#include "core/base/clock.h"

#include <time.h>

namespace uc {

namespace {

int64_t NanosOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

[[gnu::hot]] int64_t MonotonicNanos() { return NanosOf(CLOCK_MONOTONIC); }
[[gnu::hot]] int64_t CoarseMonotonicNanos() { return NanosOf(CLOCK_MONOTONIC_COARSE); }

}  // namespace uc
