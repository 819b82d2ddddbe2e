// RollTrigger: rolls that nobody has asked for by a command: a date has come (--cron-restart), or a file has changed
// (--watch).
#ifndef CORE_COORDINATOR_ROLL_TRIGGER_H_
#define CORE_COORDINATOR_ROLL_TRIGGER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/coordinator/file_watch.h"
#include "core/policy/cron.h"
#include "core/policy/cron_timer.h"

namespace uc::coordinator {

// Changes during a roll wait for its end: then one more is enough for all of them.
enum class Rolling { kNo, kYes };

class RollTrigger {
 public:
  // The operator's fault: what is to be watched is not there.
  static absl::StatusOr<RollTrigger> Begin(const std::optional<policy::CronSchedule>& cron,
                                           const WatchOptions& watch, absl::Time date);

  // To be read when readable; -1: nothing is watched.
  int fd() const { return watch_.has_value() ? watch_->fd() : -1; }
  void OnReadable(absl::Time now) { watch_->OnReadable(now); }
  // `now` is monotonic, `date` is the wall clock's.
  absl::Duration TimeLeft(absl::Time now, absl::Time date, Rolling rolling) const;
  // Why there is to be a roll now; empty: there is not.
  std::string Fires(absl::Time now, absl::Time date, Rolling rolling);

 private:
  RollTrigger() = default;

  std::optional<FileWatch> watch_;
  std::optional<policy::CronTimer> cron_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_ROLL_TRIGGER_H_
