#include "tools/load/pace.h"

#include <cmath>

namespace uc::load {

Pace::Pace(double rate, Arrivals arrivals, int64_t start_ns, uint64_t seed)
    : gap_ns_(1e9 / rate),
      arrivals_(arrivals),
      start_ns_(start_ns),
      state_(seed),
      due_ns_(start_ns) {}

void Pace::Advance() {
  ++number_;
  switch (arrivals_) {
    case Arrivals::kEven:
      offset_ns_ = static_cast<double>(number_) * gap_ns_;
      break;
    case Arrivals::kPoisson:
      offset_ns_ -= std::log(Uniform()) * gap_ns_;
      break;
  }
  due_ns_ = start_ns_ + static_cast<int64_t>(offset_ns_);
}

uint64_t Pace::DueBefore(int64_t until_ns) const {
  if (until_ns <= due_ns_) return 0;
  return static_cast<uint64_t>(std::ceil(static_cast<double>(until_ns - due_ns_) / gap_ns_));
}

// splitmix64 (Steele, Lea, Flood 2014): one addition and three mixing steps, any seed will do.
double Pace::Uniform() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return (static_cast<double>(z >> 11) + 1) / 9007199254740992.0;  // 2^53
}

}  // namespace uc::load
