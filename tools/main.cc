// uring-cluster: the one binary. Declares the flags, walks the command line, and hands over to the verb.
// A worker is the same binary, exec'd with the hidden verb `worker` and the words of `start`.
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/exec/launcher.h"
#include "core/link/channel.h"
#include "core/worker/worker.h"
#include "tools/cluster_directory.h"
#include "tools/flag_walk.h"
#include "tools/inspect.h"
#include "tools/lifecycle.h"
#include "tools/logs/log_flags.h"
#include "tools/monit/monit.h"
#include "tools/nearest.h"
#include "tools/print_error.h"
#include "tools/restart_flags.h"
#include "tools/start.h"
#include "tools/start_others.h"
#include "tools/startup.h"
#include "tools/verbs.h"

// start
ABSL_FLAG(uc::tools::TextList, listen, uc::tools::TextList{},
          "ADDR:PORT to listen on; repeatable, IPv6 as [::1]:8080 (default 127.0.0.1:8080)");
ABSL_FLAG(int64_t, workers, 0, "worker processes; 0 = as many as cores that may really be used");
ABSL_FLAG(int64_t, i, 0, "short for --workers");
ABSL_FLAG(std::string, name, "", "name of the cluster (default: from the app)");
ABSL_FLAG(bool, daemon, false, "go to the background; returns when the cluster serves");
ABSL_FLAG(std::string, log_file, "", "where the log goes (default: stderr; with --daemon a file)");
ABSL_FLAG(uc::tools::DurationFlag, listen_timeout, {absl::Seconds(10)},
          "a worker that is not ready by then is killed; in a roll it aborts the roll");
ABSL_FLAG(uc::tools::DurationFlag, kill_timeout, {absl::Seconds(10)},
          "a worker that was asked to leave and is still there is killed");
ABSL_FLAG(uc::tools::DurationFlag, hang_timeout, {absl::Seconds(10)},
          "a worker whose loop stands still for so long is killed and replaced");
ABSL_FLAG(
    std::string, mode, "auto",
    "how connections are steered: full (needs CAP_BPF), migrate, plain; auto = the best there is");
ABSL_FLAG(std::string, balance, "",
          "least-connections, round-robin, random or hash (default: the best of the mode)");
ABSL_FLAG(bool, rebalance, true,
          "loaded workers give idle keep-alive connections to a worker that is new");
ABSL_FLAG(bool, cpu_affinity, false,
          "the worker of slot k runs on the k-th core that the cluster may use");
ABSL_FLAG(uc::tools::DurationFlag, soak, {absl::ZeroDuration()},
          "reload: a new worker must stay healthy that long before the old one leaves");
ABSL_FLAG(int64_t, roll_width, 1, "reload: workers that are replaced at one time");
ABSL_FLAG(std::string, probe, "/",
          "reload: path that a new worker must answer before it gets traffic; off = no probe");
// start, for apps that are programs of their own
ABSL_FLAG(std::string, interpreter, "", "runs the program; none = the program runs itself");
ABSL_FLAG(std::string, interpreter_args, "", "arguments for the interpreter, before the script");
ABSL_FLAG(std::string, node_args, "", "the same as --interpreter-args");
ABSL_FLAG(std::string, cwd, "", "directory that the program runs in");
ABSL_FLAG(uc::tools::LineList, env, uc::tools::LineList{}, "KEY=VALUE for the program; repeatable");
ABSL_FLAG(std::string, user, "", "user that the program runs as");
ABSL_FLAG(bool, wait_ready, false,
          "ready is when the program says so: process.send('ready') or sd_notify(READY=1)");
ABSL_FLAG(std::string, ready, "",
          "when a program is ready: listen (default), message (--wait-ready), start (at once)");
ABSL_FLAG(std::string, sockets, "auto",
          "how a program gets its listeners: preload (its own listen()), listen-fds, auto");
ABSL_FLAG(bool, shutdown_with_message, false,
          "a Node program is asked to leave by the message 'shutdown' instead of a signal");
ABSL_FLAG(std::string, kill_signal, "SIGINT", "asks a program to leave");
ABSL_FLAG(int64_t, backlog, 4096, "length of each accept queue");
ABSL_FLAG(int64_t, max_connections, 0, "per worker; 0 = what its file descriptors allow");
ABSL_FLAG(uc::tools::DurationFlag, header_timeout, {absl::Seconds(10)},
          "for a request's head, from its first byte; then 408");
ABSL_FLAG(uc::tools::DurationFlag, body_timeout, {absl::Seconds(30)},
          "between two pieces of a request's body; then 408");
ABSL_FLAG(uc::tools::DurationFlag, idle_timeout, {absl::Seconds(75)},
          "keep-alive, between two requests");
ABSL_FLAG(uc::tools::DurationFlag, request_timeout, {absl::Seconds(60)},
          "for a response that the app has deferred; then 504");
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
                                           hello, echo, static DIR, ./libmyapp.so,
                                           app.js, app.py, ./server, any program
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
all. Flags may stand anywhere before --.
)";

// Of apps that are programs of their own.
FlagSet ProgramFlags() {
  return {"interpreter",
          "interpreter_args",
          "node_args",
          "cwd",
          "env",
          "user",
          "wait_ready",
          "ready",
          "sockets",
          "kill_signal",
          "shutdown_with_message"};
}

FlagSet StartFlags() {
  FlagSet flags = {"listen",
                   "workers",
                   "i",
                   "name",
                   "daemon",
                   "log_file",
                   "listen_timeout",
                   "kill_timeout",
                   "hang_timeout",
                   "mode",
                   "balance",
                   "rebalance",
                   "cpu_affinity",
                   "soak",
                   "roll_width",
                   "probe",
                   "backlog",
                   "max_connections",
                   "header_timeout",
                   "body_timeout",
                   "idle_timeout",
                   "request_timeout",
                   "run_dir"};
  flags.merge(LogFlags());
  flags.merge(ConfigFlags());
  flags.merge(ProgramFlags());
  flags.merge(RestartFlags());
  return flags;
}

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

LaunchRequest ToLaunchRequest(const FlagSet& given) {
  LaunchRequest launch;
  launch.interpreter = absl::GetFlag(FLAGS_interpreter);
  launch.interpreter_arguments =
      absl::StrCat(absl::GetFlag(FLAGS_interpreter_args), " ", absl::GetFlag(FLAGS_node_args));
  launch.directory = absl::GetFlag(FLAGS_cwd);
  launch.environment = absl::GetFlag(FLAGS_env).values;
  launch.user = absl::GetFlag(FLAGS_user);
  launch.wait_ready = absl::GetFlag(FLAGS_wait_ready);
  launch.ready = absl::GetFlag(FLAGS_ready);
  launch.sockets = absl::GetFlag(FLAGS_sockets);
  launch.shutdown_with_message = absl::GetFlag(FLAGS_shutdown_with_message);
  launch.kill_signal = absl::GetFlag(FLAGS_kill_signal);
  for (const std::string& name : ProgramFlags()) {
    if (given.count(name) > 0 && name != "interpreter") {
      launch.given.push_back(absl::StrCat("--", absl::StrReplaceAll(name, {{"_", "-"}})));
    }
  }
  return launch;
}

absl::StatusOr<StartRequest> ToStartRequest(WalkResult walk,
                                            std::vector<std::string> command_line) {
  if (walk.positionals.empty()) {
    return absl::InvalidArgumentError(
        "start needs an app: hello, echo, static DIR, the path of a shared object, or a program");
  }
  if (walk.given.count("i") > 0 && walk.given.count("workers") > 0) {
    return absl::InvalidArgumentError("-i and --workers are the same flag: give one of them");
  }
  StartRequest request;
  request.app = walk.positionals[0];
  request.app_arguments.assign(walk.positionals.begin() + 1, walk.positionals.end());
  request.app_arguments.insert(request.app_arguments.end(), walk.behind.begin(), walk.behind.end());
  request.listen = absl::GetFlag(FLAGS_listen).values;
  request.launch = ToLaunchRequest(walk.given);
  // Without it a program's own addresses count.
  if (walk.given.count("listen") == 0 && !IsProgram(request)) request.listen = {"127.0.0.1:8080"};
  request.workers =
      walk.given.count("i") > 0 ? absl::GetFlag(FLAGS_i) : absl::GetFlag(FLAGS_workers);
  request.name = absl::GetFlag(FLAGS_name);
  request.base_directory = BaseDirectory();
  request.daemon = absl::GetFlag(FLAGS_daemon);
  request.log_file = absl::GetFlag(FLAGS_log_file);
  request.logs = ReadLogFlags();
  request.backlog = absl::GetFlag(FLAGS_backlog);
  request.connections_max = absl::GetFlag(FLAGS_max_connections);
  request.listen_timeout = absl::GetFlag(FLAGS_listen_timeout).value;
  request.kill_timeout = absl::GetFlag(FLAGS_kill_timeout).value;
  request.hang_timeout = absl::GetFlag(FLAGS_hang_timeout).value;
  request.restarts = ReadRestartFlags();
  request.mode = absl::GetFlag(FLAGS_mode);
  request.balance = absl::GetFlag(FLAGS_balance);
  request.cpu_affinity = absl::GetFlag(FLAGS_cpu_affinity);
  request.rebalance = absl::GetFlag(FLAGS_rebalance);
  request.soak = absl::GetFlag(FLAGS_soak).value;
  request.roll_width = absl::GetFlag(FLAGS_roll_width);
  request.probe = absl::GetFlag(FLAGS_probe);
  request.probe_given = walk.given.count("probe") > 0;
  request.workers_given = walk.given.count("i") + walk.given.count("workers") > 0;
  request.header_timeout = absl::GetFlag(FLAGS_header_timeout).value;
  request.body_timeout = absl::GetFlag(FLAGS_body_timeout).value;
  request.idle_timeout = absl::GetFlag(FLAGS_idle_timeout).value;
  request.request_timeout = absl::GetFlag(FLAGS_request_timeout).value;
  request.command_line = std::move(command_line);
  return request;
}

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

int StartOrWork(const std::string& verb, const std::vector<std::string>& arguments) {
  FlagSet repeatable = RepeatableRestartFlags();
  repeatable.insert({"listen", "env"});
  absl::StatusOr<WalkResult> walk = WalkFlags("start", arguments, StartFlags(), repeatable);
  if (!walk.ok()) return Refuse(walk.status());
  if (walk->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (verb == "start") {
    const std::optional<int> exit_code = StartOthers(BaseDirectory(), *walk, StartFlags());
    if (exit_code.has_value()) return *exit_code;
  }
  // A flag file's words, not its name: a worker that is born tomorrow must not depend on the file.
  std::vector<std::string> words = walk->words;
  const absl::StatusOr<StartRequest> request = ToStartRequest(*std::move(walk), std::move(words));
  if (!request.ok()) return Refuse(request.status());
  if (verb == "start") return RunStart(*request);
  if (verb == "scribe") return RunScribe(*request);
  if (IsProgram(*request)) {
    const absl::StatusOr<exec::LaunchOptions> launch = ToLaunchOptions(*request);
    if (!launch.ok()) return Refuse(launch.status());
    return exec::RunLauncher(*launch, link::Channel(Fd(link::kWorkerLinkFd)));
  }
  const absl::StatusOr<worker::WorkerOptions> options = ToWorkerOptions(*request);
  if (!options.ok()) return Refuse(options.status());
  return worker::RunWorker(*options, link::Channel(Fd(link::kWorkerLinkFd)));
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
  if (verb == "logs" || verb == "flush") {
    LogVerbOptions options = ReadLogVerbFlags();
    options.base_directory = BaseDirectory();
    options.json = absl::GetFlag(FLAGS_json);
    return verb == "logs" ? RunLogs(walk->positionals, options)
                          : RunFlush(walk->positionals, options);
  }
  VerbOptions options;
  options.base_directory = BaseDirectory();
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
  const std::string verb = arguments[0];
  arguments.erase(arguments.begin());
  if (verb == "help" || verb == "--help" || verb == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (verb == "version" || verb == "--version" || verb == "-v") {
    std::printf("uring-cluster %s\n", kVersion);
    return 0;
  }
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

int main(int argc, char** argv) { return uc::tools::Main({argv + 1, argv + argc}); }
