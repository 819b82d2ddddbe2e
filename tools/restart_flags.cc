#include "tools/restart_flags.h"

#include <algorithm>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tools/byte_size.h"

ABSL_FLAG(uc::tools::DurationFlag, min_uptime, {absl::Seconds(1)},
          "deaths quicker than that after being ready are restarted with back-off");
ABSL_FLAG(int64_t, max_restarts, 16,
          "quick deaths in a row after which a slot is errored: it waits longest, and is tried on");
ABSL_FLAG(uc::tools::DurationFlag, restart_delay, {absl::ZeroDuration()},
          "before a worker that has ended is restarted");
ABSL_FLAG(uc::tools::DurationFlag, exp_backoff_restart_delay, {absl::Milliseconds(100)},
          "the first wait after quick deaths; each further one is 1.5 times as long, up to 15s");
ABSL_FLAG(uc::tools::TextList, stop_exit_codes, uc::tools::TextList{},
          "a worker that exits with such a code stays down");
ABSL_FLAG(bool, autorestart, true, "restart workers that have ended");
ABSL_FLAG(uc::tools::ByteSizeFlag, max_memory_restart, {0},
          "a size is expected, such as 200M, 512K or 1G: a worker that takes more is replaced");
ABSL_FLAG(int64_t, max_requests, 0, "a worker that has answered so many is replaced; 0 = never");
ABSL_FLAG(std::string, cron_restart, "", "reload at such times, as in '0 3 * * *'");
ABSL_FLAG(std::string, cron, "", "short for --cron-restart");
ABSL_FLAG(bool, watch, false, "reload when the app's files change; for development");
ABSL_FLAG(uc::tools::DurationFlag, watch_delay, {absl::Milliseconds(200)},
          "--watch: the rest after the last change");
ABSL_FLAG(uc::tools::TextList, ignore_watch, uc::tools::TextList{},
          "--watch: names or patterns that are left alone; repeatable");

namespace uc::tools {
namespace {

constexpr absl::Duration kDelayMax = absl::Hours(24);
constexpr int64_t kRestartsMax = 1'000'000;
constexpr int64_t kMemoryLeast = 1 << 20;

absl::Status Wrong(absl::string_view flag, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, what));
}

absl::Status CheckDelay(absl::string_view flag, absl::Duration value, absl::Duration least) {
  if (value >= least && value <= kDelayMax) return absl::OkStatus();
  return Wrong(flag, absl::StrCat("=", absl::FormatDuration(value),
                                  " is out of range: ", absl::FormatDuration(least), " to ",
                                  absl::FormatDuration(kDelayMax)));
}

absl::Status CheckRanges(const RestartRequest& request) {
  for (const absl::Status& status :
       {CheckDelay("--min-uptime", request.min_uptime, absl::ZeroDuration()),
        CheckDelay("--restart-delay", request.restart_delay, absl::ZeroDuration()),
        CheckDelay("--exp-backoff-restart-delay", request.backoff_first, absl::Milliseconds(1)),
        CheckDelay("--watch-delay", request.watch_delay, absl::ZeroDuration())}) {
    if (!status.ok()) return status;
  }
  if (request.restarts_max < 1 || request.restarts_max > kRestartsMax) {
    return Wrong("--max-restarts",
                 absl::StrCat("=", request.restarts_max, " is out of range: 1 to ", kRestartsMax));
  }
  if (request.memory_max != 0 && request.memory_max < kMemoryLeast) {
    return Wrong("--max-memory-restart",
                 absl::StrCat("=", AbslUnparseFlag(ByteSizeFlag{request.memory_max}),
                              " is less than any program needs: at least 1M"));
  }
  if (request.requests_max < 0) {
    return Wrong("--max-requests", absl::StrCat("=", request.requests_max, " is negative"));
  }
  return absl::OkStatus();
}

// Where the app's files are.
absl::StatusOr<std::string> PathToWatch(const WatchedApp& app) {
  switch (app.kind) {
    case WatchedApp::Kind::kBuiltIn:
      return Wrong("--watch",
                   absl::StrCat(": ", app.path, " is built in, it has no file that could change"));
    case WatchedApp::Kind::kSharedObject:
      return app.path;
    case WatchedApp::Kind::kProgram:
      break;
  }
  // A program is more than its first file.
  const std::string folder = app.path.substr(0, app.path.rfind('/') + 1);
  if (absl::StartsWith(folder, "/")) return folder;
  if (app.directory.empty()) return folder.empty() ? "." : folder;
  return absl::StrCat(app.directory, "/", folder);
}

absl::StatusOr<coordinator::WatchOptions> PlanWatch(const RestartRequest& request,
                                                    const WatchedApp& app) {
  coordinator::WatchOptions watch;
  watch.ignored = request.watch_ignored;
  watch.delay = request.watch_delay;
  if (!request.watch) return watch;
  absl::StatusOr<std::string> path = PathToWatch(app);
  if (!path.ok()) return path.status();
  watch.path = *std::move(path);
  return watch;
}

}  // namespace

FlagSet RestartFlags() {
  return {"min_uptime",
          "max_restarts",
          "restart_delay",
          "exp_backoff_restart_delay",
          "autorestart",
          "cron_restart",
          "max_memory_restart",
          "stop_exit_codes",
          "max_requests",
          "cron",
          "watch",
          "watch_delay",
          "ignore_watch"};
}

FlagSet RepeatableRestartFlags() { return {"stop_exit_codes", "ignore_watch"}; }

RestartRequest ReadRestartFlags() {
  RestartRequest request;
  request.min_uptime = absl::GetFlag(FLAGS_min_uptime).value;
  request.restart_delay = absl::GetFlag(FLAGS_restart_delay).value;
  request.backoff_first = absl::GetFlag(FLAGS_exp_backoff_restart_delay).value;
  request.restarts_max = absl::GetFlag(FLAGS_max_restarts);
  request.autorestart = absl::GetFlag(FLAGS_autorestart);
  request.stop_exit_codes = absl::GetFlag(FLAGS_stop_exit_codes).values;
  request.memory_max = absl::GetFlag(FLAGS_max_memory_restart).value;
  request.requests_max = absl::GetFlag(FLAGS_max_requests);
  request.cron = absl::GetFlag(FLAGS_cron_restart);
  if (request.cron.empty()) request.cron = absl::GetFlag(FLAGS_cron);
  request.watch = absl::GetFlag(FLAGS_watch);
  request.watch_delay = absl::GetFlag(FLAGS_watch_delay).value;
  request.watch_ignored = absl::GetFlag(FLAGS_ignore_watch).values;
  return request;
}

absl::StatusOr<std::vector<int>> DoneCodes(const RestartRequest& request) {
  std::vector<int> codes;
  for (const std::string& text : request.stop_exit_codes) {
    int code = 0;
    if (!absl::SimpleAtoi(text, &code) || code < 0 || code > 255) {
      return Wrong("--stop-exit-codes",
                   absl::StrCat("=", text.substr(0, 40), ": exit codes are numbers from 0 to 255"));
    }
    codes.push_back(code);
  }
  if (!request.autorestart) codes.push_back(0);
  return codes;
}

absl::StatusOr<RestartPlan> PlanRestarts(const RestartRequest& request, const WatchedApp& app) {
  if (absl::Status status = CheckRanges(request); !status.ok()) return status;
  RestartPlan plan;
  plan.restarts.min_uptime = request.min_uptime;
  plan.restarts.restart_delay = request.restart_delay;
  plan.restarts.backoff_first = request.backoff_first;
  plan.restarts.backoff_max = std::max(plan.restarts.backoff_max, request.backoff_first);
  plan.restarts.restarts_max = static_cast<int>(request.restarts_max);
  plan.restarts.autorestart = request.autorestart;
  absl::StatusOr<std::vector<int>> done_codes = DoneCodes(request);
  if (!done_codes.ok()) return done_codes.status();
  plan.restarts.stop_exit_codes = *std::move(done_codes);
  plan.recycle.memory_max = static_cast<uint64_t>(request.memory_max);
  plan.recycle.requests_max = static_cast<uint64_t>(request.requests_max);
  if (!request.cron.empty()) {
    absl::StatusOr<policy::CronSchedule> cron = policy::CronSchedule::Parse(request.cron);
    if (!cron.ok()) return Wrong("--cron-restart: ", cron.status().message());
    plan.cron = *cron;
  }
  absl::StatusOr<coordinator::WatchOptions> watch = PlanWatch(request, app);
  if (!watch.ok()) return watch.status();
  plan.watch = *std::move(watch);
  return plan;
}

}  // namespace uc::tools
