#include "core/policy/restart_policy.h"

#include <algorithm>

namespace uc::policy {

absl::Duration RestartPolicy::DelayAfterDeath(absl::Duration uptime,
                                              const RestartOptions& options) {
  if (uptime >= std::max(options.min_uptime, options.backoff_first) &&
      uptime > absl::ZeroDuration()) {
    quick_deaths_ = 0;
    return absl::ZeroDuration();
  }
  // Past this every delay is the cap; a slot may loop for years.
  constexpr int kCounted = 1'000'000;
  quick_deaths_ = std::min(quick_deaths_ + 1, kCounted);
  if (quick_deaths_ == 1) return absl::ZeroDuration();
  absl::Duration delay = options.backoff_first;
  for (int death = 2; death < quick_deaths_ && delay < options.backoff_max; ++death) delay *= 1.5;
  return std::min(delay, options.backoff_max);
}

}  // namespace uc::policy
