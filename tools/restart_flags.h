// RestartFlags: when workers are restarted, recycled and rolled, in PM2's words.
#ifndef TOOLS_RESTART_FLAGS_H_
#define TOOLS_RESTART_FLAGS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/coordinator/file_watch.h"
#include "core/coordinator/recycle_watch.h"
#include "core/policy/cron.h"
#include "core/policy/restart_policy.h"
#include "tools/flag_walk.h"

namespace uc::tools {

// As given, not yet checked.
struct RestartRequest {
  absl::Duration min_uptime = absl::Seconds(1), restart_delay;
  absl::Duration backoff_first = absl::Milliseconds(100);
  int64_t restarts_max = 16;
  bool autorestart = true;
  std::vector<std::string> stop_exit_codes;
  int64_t memory_max = 0, requests_max = 0;
  std::string cron;
  bool watch = false;
  absl::Duration watch_delay = absl::Milliseconds(200);
  std::vector<std::string> watch_ignored;
};
FlagSet RestartFlags();
FlagSet RepeatableRestartFlags();
RestartRequest ReadRestartFlags();

struct RestartPlan {
  policy::RestartOptions restarts;
  coordinator::RecycleOptions recycle;
  std::optional<policy::CronSchedule> cron;
  coordinator::WatchOptions watch;
};
// What --watch watches: a shared object itself, the directory of a program.
struct WatchedApp {
  enum class Kind { kBuiltIn, kSharedObject, kProgram } kind = Kind::kBuiltIn;
  std::string path;       // as it was given
  std::string directory;  // that a relative path of a program is relative to (--cwd); empty: here
};
// Exit codes by which a worker has ended as it may: those of --stop-exit-codes, and 0 with --no-autorestart.
// InvalidArgument: that is no exit code.
absl::StatusOr<std::vector<int>> DoneCodes(const RestartRequest& request);
// InvalidArgument names the flag that is wrong.
absl::StatusOr<RestartPlan> PlanRestarts(const RestartRequest& request, const WatchedApp& app);

}  // namespace uc::tools

#endif  // TOOLS_RESTART_FLAGS_H_
