// Pace: when the attempts of an open loop are due, whatever the server does. PURE.
//
// Even: attempt n at n / rate, exact also after days. Poisson: the gaps are exponential, as if many users came
// without knowing of each other; the sequence follows from the seed.
#ifndef TOOLS_LOAD_PACE_H_
#define TOOLS_LOAD_PACE_H_

#include <cstdint>

namespace uc::load {

enum class Arrivals { kEven, kPoisson };

class Pace {
 public:
  // `rate` > 0 attempts a second, the first one at `start_ns`.
  Pace(double rate, Arrivals arrivals, int64_t start_ns, uint64_t seed);

  // When the next attempt is due.
  int64_t due_ns() const { return due_ns_; }
  // On to the one after it.
  void Advance();
  // How many would be due in [due_ns(), until_ns), on the average.
  uint64_t DueBefore(int64_t until_ns) const;

 private:
  double Uniform();  // in (0, 1]

  const double gap_ns_;
  const Arrivals arrivals_;
  const int64_t start_ns_;
  uint64_t state_;
  uint64_t number_ = 0;
  double offset_ns_ = 0;
  int64_t due_ns_;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_PACE_H_
