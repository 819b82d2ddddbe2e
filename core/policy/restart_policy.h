// RestartPolicy: when may a slot whose worker ended be started again? PURE.
//
// A worker that lived at least min_uptime is restarted at once. Quicker deaths in a row wait
// backoff_first * 1.5^n, at most backoff_max. There is no terminal state: a slot is never given up.
// A life shorter than backoff_first is never a good one, so that the spawn rate stays bounded even with
// min_uptime zero.
#ifndef CORE_POLICY_RESTART_POLICY_H_
#define CORE_POLICY_RESTART_POLICY_H_

#include "absl/time/time.h"

namespace uc::policy {

struct RestartOptions {
  absl::Duration min_uptime = absl::Seconds(1);  // PM2's min_uptime
  absl::Duration backoff_first = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(15);  // PM2's cap of exp_backoff_restart_delay
};

class RestartPolicy {
 public:
  // A worker died after having been READY for `uptime` (zero: never READY). Says how long to wait.
  // The first quick death after a good life is answered at once, too.
  absl::Duration DelayAfterDeath(absl::Duration uptime, const RestartOptions& options);
  // Quick deaths in a row.
  int quick_deaths() const { return quick_deaths_; }

 private:
  int quick_deaths_ = 0;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_RESTART_POLICY_H_
