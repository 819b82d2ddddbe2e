// Random: chance that is the same on every machine for the same seed (splitmix64).
#ifndef TESTS_SIM_RANDOM_H_
#define TESTS_SIM_RANDOM_H_

#include <cstdint>

#include "absl/time/time.h"

namespace uc::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // From 0 to bound-1.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(Below(static_cast<uint64_t>(most - least + 1)));
  }
  bool Percent(uint64_t chance) { return Below(100) < chance; }
  absl::Duration Milliseconds(int64_t least, int64_t most) {
    return absl::Milliseconds(Between(least, most));
  }

 private:
  uint64_t state_;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_RANDOM_H_
