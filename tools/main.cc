// uring-cluster: the one binary. Walks the command line, and hands over to the verb.
// A worker is the same binary, exec'd with the hidden verb `worker` and the words of `start`.
#include <signal.h>

#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "core/base/identity.h"
#include "core/base/log.h"
#include "core/exec/carried.h"
#include "core/exec/child.h"
#include "core/exec/launcher.h"
#include "core/front/program_front.h"
#include "core/front/proxy.h"
#include "core/link/channel.h"
#include "core/worker/worker.h"
#include "tools/base_owner.h"
#include "tools/cluster_directory.h"
#include "tools/flag_walk.h"
#include "tools/inspect.h"
#include "tools/lifecycle.h"
#include "tools/logs/log_flags.h"
#include "tools/monit/monit.h"
#include "tools/nearest.h"
#include "tools/print_error.h"
#include "tools/start.h"
#include "tools/start_flags.h"
#include "tools/start_others.h"
#include "tools/startup.h"
#include "tools/verbs.h"

// All verbs
ABSL_FLAG(std::string, run_dir, "", "clusters live in RUN_DIR/NAME");
ABSL_FLAG(bool, json, false, "print one JSON value");
ABSL_FLAG(int64_t, worker, -1, "restart: this slot only");
ABSL_FLAG(bool, graceful, false, "stop: idle connections may send one more request");
ABSL_FLAG(bool, now, false, "stop: kill at once");
ABSL_FLAG(bool, once, false, "monit: one picture");
ABSL_FLAG(bool, install, false, "startup: write the unit and enable it");
ABSL_FLAG(std::string, unit_dir, "", "startup, unstartup: where the units are");

namespace uc::tools {
namespace {

constexpr int kExitOperator = 2;
constexpr char kVersion[] = "0.1.0";

constexpr char kUsage[] = R"(usage: uring-cluster VERB [flags] [arguments]

  start [flags] APP [ARG...] [-- ARG...]   run a cluster; APP is one of
                                           hello, echo, static DIR, proxy ADDR,
                                           ./libmyapp.so, app.js, app.py, ./server,
                                           any program
  scale [NAME] N|+N|-N                     how many workers
  reload [NAME]                            replace the workers one by one, losing nothing
  upgrade [NAME]                           replace the coordinator's own program in place
  restart [NAME] [--worker=K]              end the workers (or one) and start them again
  stop [NAME] [--graceful|--now]           end the cluster; 'start NAME' brings it back
  delete [NAME]                            stop it and forget it
  start cluster.json|cluster.config.js|-   the apps of a config file, a cluster each
  startOrReload, startOrRestart FILE       the same; what runs is reloaded, or restarted
  save, resurrect, cleardump               remember what runs; start what was saved; forget it
  startup, unstartup [NAME] [--install]    a systemd unit for it
  list                                     all clusters and their workers
  describe [NAME]                          everything about one
  monit [NAME...] [--once]                 a live view
  id, pid, env [NAME]                      slots, workers' processes, environment
  sendSignal SIGNAL [NAME]                 to its workers
  init                                     print a sample of a config file
  logs [NAME...] [-f] [--lines N]          what the workers have written
  flush [NAME...]                          empty the logs
  reset [NAME]                             count restarts from 0 again
  ping [NAME]                              does the coordinator answer
  version, help

NAME may be left out when there is one cluster; stop, restart, reload and delete also take several names, or
all. Flags may stand anywhere before --, also before VERB.
)";

std::optional<WhenRunning> ConfigVerb(const std::string& verb) {
  if (verb == "startOrReload" || verb == "startOrGracefulReload") return WhenRunning::kReload;
  if (verb == "startOrRestart") return WhenRunning::kRestart;
  return std::nullopt;
}

// All that Main() knows, for whoever mistypes one.
std::set<std::string> AllVerbs() {
  return {"start",
          "stop",
          "restart",
          "reload",
          "scale",
          "upgrade",
          "delete",
          "list",
          "jlist",
          "describe",
          "ping",
          "logs",
          "flush",
          "reloadLogs",
          "save",
          "dump",
          "resurrect",
          "cleardump",
          "startup",
          "reset",
          "unstartup",
          "monit",
          "id",
          "pid",
          "env",
          "sendSignal",
          "init",
          "ecosystem",
          "kill",
          "startOrReload",
          "startOrRestart",
          "help",
          "version",
          "status",
          "show",
          "info"};
}

FlagSet VerbFlags(const std::string& verb) {
  if (verb == "restart") return {"json", "run_dir", "worker"};
  if (verb == "stop" || verb == "kill" || verb == "delete" || verb == "del") {
    return {"json", "run_dir", "graceful", "now"};
  }
  if (verb == "logs") return LogVerbFlags();
  if (verb == "monit") return {"json", "run_dir", "once"};
  if (verb == "startup" || verb == "unstartup") return {"run_dir", "install", "unit_dir"};
  if (ConfigVerb(verb).has_value()) return {"run_dir", "only", "env"};
  return {"json", "run_dir"};
}

std::string BaseDirectory() {
  const std::string given = absl::GetFlag(FLAGS_run_dir);
  return given.empty() ? DefaultBaseDirectory() : given;
}

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

int StartOrWork(const std::string& verb, const std::vector<std::string>& arguments) {
  absl::StatusOr<WalkResult> walk =
      WalkFlags("start", arguments, StartFlags(), RepeatableStartFlags());
  if (!walk.ok()) return Refuse(walk.status());
  if (walk->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (verb == "start") {
    const auto entered = EnterBase(BaseDirectory(), Purpose::kStart);
    if (!entered.ok()) return Refuse(entered.status());
    const std::optional<int> exit_code = StartOthers(BaseDirectory(), *walk, StartFlags());
    if (exit_code.has_value()) return *exit_code;
  }
  absl::StatusOr<StartRequest> request = ToStartRequest(*std::move(walk), BaseDirectory());
  if (!request.ok()) return Refuse(request.status());
  if (verb == "start") return RunStart(*std::move(request));
  if (verb == "scribe") return RunScribe(*request);
  if (IsProgram(*request)) {
    absl::StatusOr<exec::LaunchOptions> launch = ToLaunchOptions(*request);
    if (!launch.ok()) return Refuse(launch.status());
    link::Channel channel(Fd(link::kWorkerLinkFd));
    if (!request->launch.front) return exec::RunLauncher(*launch, std::move(channel));
    absl::StatusOr<worker::WorkerOptions> options = ToWorkerOptions(*request);
    if (!options.ok()) return Refuse(options.status());
    if (options->identity.has_value()) {
      exec::OpenOutputToOthers();
      launch->identity_taken = true;
      options->exec_gives = ExecGives::kAsAnyUser;
    }
    return front::RunProgramFront(*options, *launch, std::move(channel));
  }
  exec::TakeCarriedEnvironment();  // the app is in this process
  const absl::StatusOr<worker::WorkerOptions> options = ToWorkerOptions(*request);
  if (!options.ok()) return Refuse(options.status());
  link::Channel channel(Fd(link::kWorkerLinkFd));
  if (front::IsProxy(options->app)) return front::RunProxy(*options, std::move(channel));
  return worker::RunWorker(*options, std::move(channel));
}

// A unit for systemd (`startup`) starts what is recorded, too.
Purpose PurposeOf(const std::string& verb) {
  const bool starts = verb == "resurrect" || verb == "startup" || ConfigVerb(verb).has_value();
  return starts ? Purpose::kStart : Purpose::kSpeak;
}

int RunningVerb(const std::string& verb, const std::vector<std::string>& arguments) {
  const absl::StatusOr<WalkResult> walk = WalkFlags(verb, arguments, VerbFlags(verb), {});
  if (!walk.ok()) return Refuse(walk.status());
  if (walk->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (walk->given.count("worker") > 0 && absl::GetFlag(FLAGS_worker) < 0) {
    return Refuse(absl::InvalidArgumentError(
        absl::StrCat("--worker=", absl::GetFlag(FLAGS_worker), " is no slot: they count from 0")));
  }
  if (verb == "init" || verb == "ecosystem") return RunInspectVerb(verb, walk->positionals, {});
  const absl::StatusOr<Acting> acting = EnterBase(BaseDirectory(), PurposeOf(verb));
  if (!acting.ok()) return Refuse(acting.status());
  if (verb == "logs" || verb == "flush") {
    LogVerbOptions options = ReadLogVerbFlags();
    options.base_directory = BaseDirectory();
    options.json = absl::GetFlag(FLAGS_json);
    return verb == "logs" ? RunLogs(walk->positionals, options)
                          : RunFlush(walk->positionals, options);
  }
  VerbOptions options;
  options.base_directory = BaseDirectory();
  options.acting = *acting;
  options.json = absl::GetFlag(FLAGS_json);
  options.worker = absl::GetFlag(FLAGS_worker);
  options.graceful = absl::GetFlag(FLAGS_graceful);
  options.now = absl::GetFlag(FLAGS_now);
  if (const std::optional<WhenRunning> when = ConfigVerb(verb); when.has_value()) {
    if (walk->positionals.size() == 1) {
      return StartConfig(BaseDirectory(), walk->positionals[0], StartFlags(), *when);
    }
    return Refuse(absl::InvalidArgumentError(absl::StrCat(verb, " takes one config file")));
  }
  if (verb == "monit") {
    return RunMonit(walk->positionals, {BaseDirectory(), absl::GetFlag(FLAGS_once), options.json});
  }
  if (verb == "startup" || verb == "unstartup") {
    const StartupOptions startup = {BaseDirectory(), absl::GetFlag(FLAGS_install),
                                    absl::GetFlag(FLAGS_unit_dir)};
    return verb == "startup" ? RunStartup(walk->positionals, startup)
                             : RunUnstartup(walk->positionals, startup);
  }
  if (IsLifecycleVerb(verb)) return RunLifecycleVerb(verb, walk->positionals, options);
  if (IsInspectVerb(verb)) return RunInspectVerb(verb, walk->positionals, options);
  options.json |= verb == "jlist";
  return RunVerb(verb == "jlist" ? "list" : verb, walk->positionals, options);
}

int Main(std::vector<std::string> arguments) {
  if (arguments.empty()) {
    std::fputs(kUsage, stderr);
    return kExitOperator;
  }
  const size_t at = VerbAt(arguments);
  const bool given = at < arguments.size();
  const std::string verb = given ? arguments[at] : "";
  const std::set<std::string> words(arguments.begin(), arguments.end());
  if (verb == "help" || (!given && (words.count("--help") > 0 || words.count("-h") > 0))) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (verb == "version" || arguments[0] == "--version" || arguments[0] == "-v") {
    std::printf("uring-cluster %s\n", kVersion);
    return 0;
  }
  if (!given) {
    return Refuse(absl::InvalidArgumentError(
        "there are flags, and no command; 'uring-cluster help' lists them all"));
  }
  arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at));
  if (verb == "start" || verb == "worker" || verb == "scribe") return StartOrWork(verb, arguments);
  if (IsVerb(verb) || IsLifecycleVerb(verb) || IsInspectVerb(verb) ||
      ConfigVerb(verb).has_value() || verb == "logs" || verb == "flush" || verb == "monit" ||
      verb == "jlist" || verb == "startup" || verb == "unstartup")
    return RunningVerb(verb, arguments);
  const std::string nearest = Nearest(verb, AllVerbs());
  PrintError(absl::StrCat("unknown command '", verb.substr(0, 60), "'; ",
                          nearest.empty() ? "" : absl::StrCat("did you mean ", nearest, "? "),
                          "'uring-cluster help' lists them all"));
  return kExitOperator;
}

}  // namespace
}  // namespace uc::tools

int main(int argc, char** argv) {
  // A file that reaches RLIMIT_FSIZE: write(2) and ftruncate(2) say EFBIG, which is handled as a full disk is, in each
  // of our processes. What they start gets the default back (spawner.cc, child.cc, subprocess.cc).
  signal(SIGXFSZ, SIG_IGN);
  return uc::tools::Main({argv + 1, argv + argc});
}
