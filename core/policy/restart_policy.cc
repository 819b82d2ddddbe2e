#include "core/policy/restart_policy.h"

#include <algorithm>

namespace uc::policy {

bool MeansDone(std::optional<int> exit_code, const RestartOptions& options) {
  return exit_code.has_value() &&
         std::find(options.stop_exit_codes.begin(), options.stop_exit_codes.end(), *exit_code) !=
             options.stop_exit_codes.end();
}

absl::Duration RestartPolicy::DelayAfterDeath(absl::Duration uptime,
                                              const RestartOptions& options) {
  if (uptime >= std::max(options.min_uptime, options.backoff_first) &&
      uptime > absl::ZeroDuration()) {
    quick_deaths_ = 0;
    return options.restart_delay;
  }
  // Past this every delay is the cap; a slot may loop for years.
  constexpr int kCounted = 1'000'000;
  quick_deaths_ = std::min(quick_deaths_ + 1, kCounted);
  if (Errored(options)) return std::max(options.backoff_max, options.restart_delay);
  if (quick_deaths_ == 1) return options.restart_delay;
  absl::Duration delay = options.backoff_first;
  for (int death = 2; death < quick_deaths_ && delay < options.backoff_max; ++death) delay *= 1.5;
  return std::max(std::min(delay, options.backoff_max), options.restart_delay);
}

}  // namespace uc::policy
