#include "benchmarks/paired/estimate.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace uc::paired {

Estimate TrimmedMean(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const size_t cut = samples.size() / 5;
  const size_t end = samples.size() - cut;
  double sum = 0;
  for (size_t i = cut; i < end; ++i) sum += samples[i];
  const double mean = sum / static_cast<double>(end - cut);
  double winsorized_mean = 0;
  for (double& sample : samples) {
    sample = std::clamp(sample, samples[cut], samples[end - 1]);
    winsorized_mean += sample;
  }
  const double count = static_cast<double>(samples.size());
  winsorized_mean /= count;
  double variance = 0;
  for (const double sample : samples) {
    variance += (sample - winsorized_mean) * (sample - winsorized_mean);
  }
  if (samples.size() < 3) return {mean, mean};
  variance /= count - 1;
  return {mean, std::sqrt(variance / count) / (static_cast<double>(end - cut) / count)};
}

}  // namespace uc::paired
