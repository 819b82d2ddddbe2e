// Estimate: a mean that a few disturbed windows do not move, with its standard error. Pure.
#ifndef BENCHMARKS_PAIRED_ESTIMATE_H_
#define BENCHMARKS_PAIRED_ESTIMATE_H_

#include <vector>

namespace uc::paired {

struct Estimate {
  double value = 0;
  double error = 0;  // one standard error
};

// The mean without the least and the greatest fifth; its error from the Winsorized variance (Tukey and
// McLaughlin 1963).
Estimate TrimmedMean(std::vector<double> samples);

}  // namespace uc::paired

#endif  // BENCHMARKS_PAIRED_ESTIMATE_H_
