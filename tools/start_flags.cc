#include "tools/start_flags.h"

#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "tools/byte_size.h"
#include "tools/logs/log_flags.h"
#include "tools/restart_flags.h"
#include "tools/start_others.h"

ABSL_FLAG(uc::tools::TextList, listen, uc::tools::TextList{},
          "ADDR:PORT to listen on; repeatable, IPv6 as [::1]:8080 (default 127.0.0.1:8080); with "
          "programs ADDR:PORT=PORT, the second of which is the program's own");
ABSL_FLAG(int64_t, workers, 0, "worker processes; 0 = as many as cores that may really be used");
ABSL_FLAG(int64_t, i, 0, "short for --workers");
ABSL_FLAG(std::string, name, "", "name of the cluster (default: from the app)");
ABSL_FLAG(bool, daemon, false, "go to the background; returns when the cluster serves");
ABSL_FLAG(bool, allow_partial, false,
          "--daemon: a start after which some slots do not serve is no failure");
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
ABSL_FLAG(
    std::string, user, "",
    "name or id of the user that serves, when root starts the cluster; ports are bound before");
ABSL_FLAG(std::string, group, "", "name or id of its group (default: the user's own groups)");
ABSL_FLAG(bool, dotfiles, false, "static: names that begin with a dot are served as well");
// For apps that are programs of their own.
ABSL_FLAG(std::string, interpreter, "", "runs the program; none = the program runs itself");
ABSL_FLAG(std::string, interpreter_args, "", "arguments for the interpreter, before the script");
ABSL_FLAG(std::string, node_args, "", "the same as --interpreter-args");
ABSL_FLAG(std::string, cwd, "", "directory that the program runs in");
ABSL_FLAG(uc::tools::AnyList, env, uc::tools::AnyList{}, "KEY=VALUE for the program; repeatable");
ABSL_FLAG(bool, front, false,
          "a program behind its worker: the worker has the clients, the program's listener is "
          "private (default, where that can be)");
ABSL_FLAG(bool, direct, false,
          "a program without a worker before it: it accepts from its slot's listener itself");
ABSL_FLAG(
    std::string, upstream, "",
    "where the program listens itself, in private: 127.0.0.1:{port} or "
    "unix:/run/app-{generation}.sock; its arguments and environment may have these words, too");
ABSL_FLAG(bool, keep_env, false, "with --user: the app or program inherits all of the environment");
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
ABSL_FLAG(int64_t, max_in_flight, 0,
          "proxy: requests that a worker has at the server at one time; 0 = any number");
ABSL_FLAG(
    std::string, protocol, "auto",
    "proxy, programs: what clients speak: http (HTTP/1), tcp (all is tunnelled), auto (HTTP/1, "
    "and what is another protocol by its first bytes is tunnelled)");
ABSL_FLAG(
    uc::tools::DurationFlag, first_byte_timeout, {absl::Seconds(1)},
    "proxy, programs: a client that says nothing for so long is tunnelled if the server speaks "
    "first");
ABSL_FLAG(uc::tools::TextList, trusted_proxies, uc::tools::TextList{},
          "proxy, programs: networks (10.0.0.0/8) of proxies, whose X-Forwarded fields are kept; "
          "repeatable");
ABSL_FLAG(int64_t, max_connections, 0, "per worker; 0 = what its file descriptors allow");
ABSL_FLAG(uc::tools::ByteSizeFlag, body_memory, {256 << 20},
          "a size is expected, such as 256M: what a worker holds of request bodies, all together");
ABSL_FLAG(uc::tools::DurationFlag, header_timeout, {absl::Seconds(10)},
          "for a request's head, from its first byte; then 408");
ABSL_FLAG(uc::tools::DurationFlag, body_timeout, {absl::Seconds(30)},
          "between two pieces of a request's body; then 408");
ABSL_FLAG(uc::tools::DurationFlag, idle_timeout, {absl::Seconds(75)},
          "keep-alive, between two requests");
ABSL_FLAG(uc::tools::DurationFlag, request_timeout, {absl::Seconds(60)},
          "for a response that the app has deferred; then 504");

namespace uc::tools {
namespace {

// Of apps that are programs of their own.
FlagSet ProgramFlags() {
  return {"interpreter",
          "interpreter_args",
          "node_args",
          "cwd",
          "env",
          "front",
          "direct",
          "upstream",
          "wait_ready",
          "ready",
          "sockets",
          "kill_signal",
          "shutdown_with_message"};
}

// Of what stands before a server or a program.
std::vector<std::string> GivenFrontFlags(const FlagSet& given) {
  std::vector<std::string> flags;
  for (const char* name : {"max_in_flight", "protocol", "first_byte_timeout", "trusted_proxies"}) {
    if (given.count(name) > 0) flags.push_back(Dashed(name));
  }
  return flags;
}

LaunchRequest ToLaunchRequest(const FlagSet& given) {
  LaunchRequest launch;
  launch.interpreter = absl::GetFlag(FLAGS_interpreter);
  launch.interpreter_arguments =
      absl::StrCat(absl::GetFlag(FLAGS_interpreter_args), " ", absl::GetFlag(FLAGS_node_args));
  launch.directory = absl::GetFlag(FLAGS_cwd);
  launch.environment = absl::GetFlag(FLAGS_env).values;
  launch.keep_environment = absl::GetFlag(FLAGS_keep_env);
  launch.front_given = absl::GetFlag(FLAGS_front);
  launch.direct_given =
      absl::GetFlag(FLAGS_direct) || (given.count("front") > 0 && !launch.front_given);
  launch.front = launch.front_given;
  launch.upstream = absl::GetFlag(FLAGS_upstream);
  launch.wait_ready = absl::GetFlag(FLAGS_wait_ready);
  launch.ready = absl::GetFlag(FLAGS_ready);
  launch.sockets = absl::GetFlag(FLAGS_sockets);
  launch.shutdown_with_message = absl::GetFlag(FLAGS_shutdown_with_message);
  launch.kill_signal = absl::GetFlag(FLAGS_kill_signal);
  for (const std::string& name : ProgramFlags()) {
    if (given.count(name) > 0 && name != "interpreter") {
      launch.given.push_back(Dashed(name));
    }
  }
  return launch;
}

}  // namespace

FlagSet StartFlags() {
  FlagSet flags = {"listen",
                   "workers",
                   "i",
                   "name",
                   "daemon",
                   "allow_partial",
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
                   "max_in_flight",
                   "protocol",
                   "first_byte_timeout",
                   "trusted_proxies",
                   "max_connections",
                   "body_memory",
                   "header_timeout",
                   "body_timeout",
                   "idle_timeout",
                   "request_timeout",
                   "user",
                   "group",
                   "keep_env",
                   "dotfiles",
                   "run_dir"};
  flags.merge(LogFlags());
  flags.merge(ConfigFlags());
  flags.merge(ProgramFlags());
  flags.merge(RestartFlags());
  return flags;
}

FlagSet RepeatableStartFlags() {
  FlagSet flags = RepeatableRestartFlags();
  flags.insert({"listen", "env", "trusted_proxies"});
  return flags;
}

absl::StatusOr<StartRequest> ToStartRequest(WalkResult walk, std::string base_directory) {
  if (walk.positionals.empty()) {
    return absl::InvalidArgumentError(
        "start needs an app: hello, echo, static DIR, proxy ADDR, the path of a shared object, or "
        "a program");
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
  request.user = absl::GetFlag(FLAGS_user);
  request.group = absl::GetFlag(FLAGS_group);
  request.dotfiles = absl::GetFlag(FLAGS_dotfiles);
  request.workers =
      walk.given.count("i") > 0 ? absl::GetFlag(FLAGS_i) : absl::GetFlag(FLAGS_workers);
  request.name = absl::GetFlag(FLAGS_name);
  request.base_directory = std::move(base_directory);
  request.daemon = absl::GetFlag(FLAGS_daemon);
  request.allow_partial = absl::GetFlag(FLAGS_allow_partial);
  request.log_file = absl::GetFlag(FLAGS_log_file);
  request.logs = ReadLogFlags();
  request.backlog = absl::GetFlag(FLAGS_backlog);
  request.request_timeout_given = walk.given.count("request_timeout") > 0;
  request.in_flight_max = absl::GetFlag(FLAGS_max_in_flight);
  request.front_given = GivenFrontFlags(walk.given);
  request.protocol = absl::GetFlag(FLAGS_protocol);
  request.first_byte_timeout = absl::GetFlag(FLAGS_first_byte_timeout).value;
  request.trusted_proxies = absl::GetFlag(FLAGS_trusted_proxies).values;
  request.connections_max = absl::GetFlag(FLAGS_max_connections);
  request.body_memory = absl::GetFlag(FLAGS_body_memory).value;
  request.listen_timeout = absl::GetFlag(FLAGS_listen_timeout).value;
  request.kill_timeout = absl::GetFlag(FLAGS_kill_timeout).value;
  request.hang_timeout = absl::GetFlag(FLAGS_hang_timeout).value;
  request.hang_timeout_given = walk.given.count("hang_timeout") > 0;
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
  // A flag file's words, not its name: a worker that is born tomorrow must not depend on the file.
  request.command_line = std::move(walk.words);
  return request;
}

}  // namespace uc::tools
