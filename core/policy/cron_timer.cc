#include "core/policy/cron_timer.h"

namespace uc::policy {

CronTimer::CronTimer(const CronSchedule& schedule, absl::TimeZone zone, absl::Time date)
    : schedule_(schedule), zone_(zone), last_look_(date), next_(schedule.Next(date, zone)) {}

bool CronTimer::Fires(absl::Time date) {
  const bool set_back = date < last_look_;
  last_look_ = date;
  if (set_back) {
    next_ = schedule_.Next(date, zone_);
    return false;
  }
  if (date < next_) return false;
  next_ = schedule_.Next(date, zone_);
  return true;
}

}  // namespace uc::policy
