#include "core/coordinator/roll_trigger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace uc::coordinator {

absl::StatusOr<RollTrigger> RollTrigger::Begin(const std::optional<policy::CronSchedule>& cron,
                                               const WatchOptions& watch, absl::Time date) {
  RollTrigger trigger;
  if (cron.has_value()) trigger.cron_.emplace(*cron, absl::LocalTimeZone(), date);
  if (!watch.path.empty()) {
    absl::StatusOr<FileWatch> begun = FileWatch::Begin(watch);
    if (!begun.ok()) return begun.status();
    trigger.watch_ = *std::move(begun);
  }
  return trigger;
}

absl::Duration RollTrigger::TimeLeft(absl::Time now, absl::Time date, Rolling rolling) const {
  absl::Duration left = absl::InfiniteDuration();
  if (watch_.has_value() && rolling == Rolling::kNo) left = watch_->due() - now;
  if (cron_.has_value()) left = std::min(left, cron_->TimeLeft(date));
  return left;
}

std::string RollTrigger::Fires(absl::Time now, absl::Time date, Rolling rolling) {
  std::string why;
  if (watch_.has_value() && rolling == Rolling::kNo && now >= watch_->due()) {
    why = absl::StrCat("--watch: ", watch_->Take(), " has changed");
  }
  if (cron_.has_value() && cron_->Fires(date)) why = "--cron-restart: it is time";
  return why;
}

}  // namespace uc::coordinator
