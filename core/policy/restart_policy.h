// RestartPolicy: when may a slot whose worker ended be started again? PURE.
//
// A worker that lived at least min_uptime is restarted after restart_delay. Quicker deaths in a row wait
// backoff_first * 1.5^n, at most backoff_max, and never less than restart_delay. From restarts_max of them on
// the slot is errored: it waits backoff_max, is shown as such, and is tried for ever; PM2 gives up here. There
// is no terminal state but one that the operator has named: an exit code that means "done", or no restarts at
// all.
// A life shorter than backoff_first is never a good one, so that the spawn rate stays bounded even with
// min_uptime zero.
#ifndef CORE_POLICY_RESTART_POLICY_H_
#define CORE_POLICY_RESTART_POLICY_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace uc::policy {

struct RestartOptions {
  absl::Duration min_uptime = absl::Seconds(1);            // PM2's min_uptime
  absl::Duration backoff_first = absl::Milliseconds(100);  // PM2's exp_backoff_restart_delay
  absl::Duration backoff_max = absl::Seconds(15);          // PM2's cap of it
  absl::Duration restart_delay;                            // PM2's restart_delay
  int restarts_max = 16;                                   // PM2's max_restarts, at least 1
  bool autorestart = true;                                 // PM2's autorestart
  std::vector<int> stop_exit_codes;                        // PM2's stop_exit_codes
};

// An exit with this code is no failure, and the worker stays down. nullopt: it was a signal.
bool MeansDone(std::optional<int> exit_code, const RestartOptions& options);

class RestartPolicy {
 public:
  // A worker died after having been READY for `uptime` (zero: never READY). Says how long to wait.
  // The first quick death after a good life is answered as a good one.
  absl::Duration DelayAfterDeath(absl::Duration uptime, const RestartOptions& options);
  // Quick deaths in a row.
  int quick_deaths() const { return quick_deaths_; }
  bool Errored(const RestartOptions& options) const {
    return quick_deaths_ >= options.restarts_max;
  }

 private:
  int quick_deaths_ = 0;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_RESTART_POLICY_H_
