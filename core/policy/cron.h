// CronSchedule: when does a cron expression come due next? PURE: the time and the zone are arguments.
//
// Five fields as in crontab(5): minute hour day-of-month month day-of-week; "*", numbers, names (jan, mon),
// ranges, lists, steps; 7 is Sunday as 0 is; when both days are restricted one of them is enough.
// When clocks change: what falls into the hour that is skipped comes at the moment of the change; what falls
// into the hour that is there twice comes once, unless the hour field is "*".
// Refused: six fields with seconds and "@daily", which mean something else everywhere.
#ifndef CORE_POLICY_CRON_H_
#define CORE_POLICY_CRON_H_

#include <bitset>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace uc::policy {

class CronSchedule {
 public:
  // InvalidArgument in one line, for "60 * * * *" or "0 0 30 2 *" (a day that never comes) as well.
  static absl::StatusOr<CronSchedule> Parse(absl::string_view text);

  // The first time after `after`.
  absl::Time Next(absl::Time after, absl::TimeZone zone) const;

 private:
  CronSchedule() = default;
  bool Comes(absl::CivilDay day) const;
  // The first time of this day that is after `after`; InfiniteFuture: none.
  absl::Time NextOf(absl::CivilDay day, absl::Time after, absl::TimeZone zone) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // of the month, from 1
  std::bitset<13> months_;   // from 1
  std::bitset<8> weekdays_;  // Sunday is 0
  bool any_hour_ = false, any_day_ = false, any_weekday_ = false;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_CRON_H_
