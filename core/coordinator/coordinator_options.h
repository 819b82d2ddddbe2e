// CoordinatorOptions: everything that `start` decided before the first worker is born.
#ifndef CORE_COORDINATOR_COORDINATOR_OPTIONS_H_
#define CORE_COORDINATOR_COORDINATOR_OPTIONS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/own_log.h"
#include "core/coordinator/file_watch.h"
#include "core/coordinator/mode.h"
#include "core/coordinator/recycle_watch.h"
#include "core/coordinator/self_probe.h"
#include "core/coordinator/start_report.h"
#include "core/net/address.h"
#include "core/net/listener.h"
#include "core/policy/cron.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

struct CoordinatorOptions {
  scoreboard::AppKind kind = scoreboard::AppKind::kNative;
  bool program() const { return kind != scoreboard::AppKind::kNative; }
  // Its workers are launchers: they have no ring, and bind what their program asks for.
  bool launches() const { return kind == scoreboard::AppKind::kProgram; }
  // Its workers have a program behind them, which may say where clients come.
  bool fronts() const { return kind == scoreboard::AppKind::kBehindFronts; }

  policy::SupervisorOptions supervisor;
  // A worker whose heartbeat is older than hang_timeout, and that is not starved of CPU, is stuck.
  policy::HealthOptions health;
  ModeRequest mode;
  ProbeOptions probe;
  RecycleOptions recycle;
  std::optional<policy::CronSchedule> cron;  // rolls, in local time
  WatchOptions watch;                        // rolls when something changes

  std::string name;
  std::string directory;  // BASE/NAME, exists, is ours, mode 0700
  std::vector<net::Address>
      addresses;  // at most link::kAddressesMax; none: the program's own count
  net::ListenOptions listen;

  bool cpu_affinity = false;  // workers pin themselves; the kernel's choice shall follow

  std::string binary;  // absolute; exec'd for each worker, so a roll runs a new build
  std::vector<std::string> worker_arguments;  // argv of a worker, argv[0] included

  // What a worker finds as its environment from its exec on, when it becomes another user; nullopt: ours. The block that
  // the kernel makes at an exec stays readable for whoever serves in that process, whatever is done to `environ` later.
  std::optional<std::vector<std::string>> worker_environment;

  std::vector<std::string> own_arguments;  // argv that started us, for an upgrade
  bool workers_given = false;              // the number of workers was asked for, not derived

  // argv of the process that takes the workers' stdout and stderr; empty: they inherit ours.
  std::vector<std::string> scribe_arguments;
  bool stdout_captured = true;  // too; else it takes their stderr only

  std::string serves_as;              // the user that workers become, for the log; empty: ours
  std::optional<uid_t> serves_as_id;  // its user id

  // For `list` and `describe`.
  std::string app_text;
  std::string command_line;

  // Where stderr goes; reopened on USR1. Empty: stderr is not a file of ours.
  std::string log_file;
  LogLimits log_limits;

  // Called once, when the run directory is ours.
  std::function<void()> on_begun;
  // Called each time the run directory was made again, because somebody had cleaned it away.
  std::function<void()> on_made_again;
  // Called once, when the start is over.
  std::function<void(const StartReport& report)> on_started;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_COORDINATOR_OPTIONS_H_
