// CronTimer: has a cron schedule come due? PURE: dates come in as arguments, and they may be set back or forth.
//
// What came due while nobody looked (the machine slept, the clock was set forth) fires once.
#ifndef CORE_POLICY_CRON_TIMER_H_
#define CORE_POLICY_CRON_TIMER_H_

#include <optional>

#include "absl/time/time.h"
#include "core/policy/cron.h"

namespace uc::policy {

class CronTimer {
 public:
  CronTimer(const CronSchedule& schedule, absl::TimeZone zone, absl::Time date);

  // True once for each time that is due.
  bool Fires(absl::Time date);
  absl::Duration TimeLeft(absl::Time date) const { return next_ - date; }

 private:
  CronSchedule schedule_;
  absl::TimeZone zone_;
  absl::Time last_look_;
  absl::Time next_;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_CRON_TIMER_H_
