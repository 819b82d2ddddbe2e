#include "tools/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/app/load.h"
#include "core/base/check.h"
#include "core/base/descriptor_limit.h"
#include "core/base/fd.h"
#include "core/base/identity.h"
#include "core/base/log.h"
#include "core/base/usable_cores.h"
#include "core/coordinator/coordinator.h"
#include "core/coordinator/left_programs.h"
#include "core/coordinator/upgrade.h"
#include "core/exec/carried.h"
#include "core/exec/environment.h"
#include "core/exec/launcher.h"
#include "core/front/proxy.h"
#include "core/link/message.h"
#include "core/link/worker_mark.h"
#include "tools/cluster_directory.h"
#include "tools/linger.h"
#include "tools/listen_flag.h"
#include "tools/logs/scribe.h"
#include "tools/print_error.h"
#include "tools/record.h"
#include "tools/run_coordinator.h"
#include "tools/state_name.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;
constexpr absl::Duration kDurationMax = absl::Hours(24);
// Of a program's successor before it has clients: programs listen before they have read all that can be wrong.
constexpr absl::Duration kSettle = absl::Seconds(1);

struct NamedDuration {
  absl::string_view flag;
  absl::Duration value;
  absl::Duration least;
};

absl::Status CheckDurations(const StartRequest& request) {
  const NamedDuration durations[] = {
      {"--listen-timeout", request.listen_timeout, absl::Milliseconds(10)},
      {"--kill-timeout", request.kill_timeout, absl::Milliseconds(1)},
      {"--hang-timeout", request.hang_timeout, absl::Milliseconds(100)},
      {"--soak", request.soak, absl::ZeroDuration()},
      {"--header-timeout", request.header_timeout, absl::Milliseconds(100)},
      {"--body-timeout", request.body_timeout, absl::Milliseconds(100)},
      {"--idle-timeout", request.idle_timeout, absl::Milliseconds(100)},
      {"--request-timeout", request.request_timeout, absl::Milliseconds(100)},
      {"--first-byte-timeout", request.first_byte_timeout, absl::Milliseconds(100)},
  };
  for (const NamedDuration& duration : durations) {
    if (duration.value >= duration.least && duration.value <= kDurationMax) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        duration.flag, "=", absl::FormatDuration(duration.value), " is out of range: ",
        absl::FormatDuration(duration.least), " to ", absl::FormatDuration(kDurationMax)));
  }
  return absl::OkStatus();
}

absl::StatusOr<worker::ClientProtocol> ToClientProtocol(absl::string_view text) {
  if (text == "auto") return worker::ClientProtocol::kAuto;
  if (text == "http") return worker::ClientProtocol::kHttp;
  if (text == "tcp") return worker::ClientProtocol::kTcp;
  return absl::InvalidArgumentError(
      absl::StrCat("--protocol=", text.substr(0, 60), ": expected auto, http or tcp"));
}

absl::Status CheckRange(absl::string_view flag, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, "=", value, " is out of range: ", least, " to ", most));
}

// Where this very program is, as a path that a new build will be put at. The kernel's text for a binary
// that was replaced meanwhile ends in " (deleted)".
std::string OwnBinary() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  UC_CHECK(size > 0);
  return std::string(absl::StripSuffix(absl::string_view(path, size), " (deleted)"));
}

// A heartbeat must be able to prove itself several times within the hang time-out.
absl::Duration HeartbeatPeriod(absl::Duration hang_timeout) {
  return std::clamp(hang_timeout / 8, absl::Milliseconds(10), absl::Milliseconds(500));
}

// argv for the same program with what we were started with.
std::vector<std::string> SameWords(const std::string& verb, const StartRequest& request) {
  std::vector<std::string> arguments = {"uring-cluster", verb};
  // What was decided here holds for the worker, whatever it would find.
  if (verb == "worker" && IsProgram(request)) {
    arguments.push_back(request.launch.front ? "--front" : "--direct");
  }
  arguments.insert(arguments.end(), request.command_line.begin(), request.command_line.end());
  return arguments;
}

absl::StatusOr<coordinator::ModeRequest> ToModeRequest(const StartRequest& request) {
  coordinator::ModeRequest wanted;
  const auto kind = coordinator::ParseMode(request.mode);
  if (!kind.ok()) return kind.status();
  wanted.kind = *kind;
  if (!request.balance.empty()) {
    const absl::StatusOr<net::Balance> balance = net::ParseBalance(request.balance);
    if (!balance.ok()) return balance.status();
    wanted.balance = *balance;
  }
  return wanted;
}

absl::StatusOr<coordinator::ProbeOptions> ToProbeOptions(const StartRequest& request) {
  coordinator::ProbeOptions probe;
  probe.enabled = request.probe != "off";
  probe.path = request.probe;
  probe.strict = request.probe_given;
  const bool visible = std::all_of(probe.path.begin(), probe.path.end(),
                                   [](char c) { return absl::ascii_isgraph(c); });
  if (!probe.enabled ||
      (absl::StartsWith(probe.path, "/") && visible && probe.path.size() <= 1024)) {
    return probe;
  }
  return absl::InvalidArgumentError(absl::StrCat("--probe=", request.probe.substr(0, 60),
                                                 ": expected a path that begins with '/', or off"));
}

WatchedApp ToWatchedApp(const StartRequest& request) {
  using Kind = WatchedApp::Kind;
  if (IsProgram(request)) return {Kind::kProgram, request.app, request.launch.directory};
  const bool built_in = !absl::StrContains(request.app, ".so");
  return {built_in ? Kind::kBuiltIn : Kind::kSharedObject, request.app, ""};
}

// As whoever will serve it: what root may read says nothing about that.
absl::Status CheckNativeApp(const StartRequest& request, const std::optional<Identity>& identity) {
  if (front::IsProxy(request.app)) return front::CheckProxy(request.app_arguments);
  if (!identity.has_value()) return app::CheckApp(request.app, request.app_arguments);
  const FileAccessAs as(*identity);
  const absl::Status status = app::CheckApp(request.app, request.app_arguments);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), ", looked at as ", identity->ToString()));
}

absl::Status CheckFront(const exec::LaunchOptions& launch) {
  if (launch.ready == exec::ReadyWhen::kStarted) {
    return absl::InvalidArgumentError(
        "--front and --ready=start: a front has to know that its program listens");
  }
  if (!launch.upstream.empty() && launch.addresses.empty()) {
    return absl::InvalidArgumentError("--upstream needs --listen: where clients come");
  }
  if (absl::Status status = exec::CheckLaunch(launch); !status.ok()) return status;
  const absl::StatusOr<exec::Program> program = exec::FindProgram(launch.program);
  if (!program.ok()) return program.status();
  if (launch.addresses.empty() && exec::WayOf(launch, *program) == exec::SocketWay::kListenFds) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--front needs --listen here: where ", launch.program.path, " listens cannot be seen (",
        launch.sockets == exec::SocketWay::kListenFds
            ? "it takes LISTEN_FDS"
            : absl::StrCat(program->argv[0], " bypasses libc"),
        ")"));
  }
  return absl::OkStatus();
}

absl::Status CheckAnyApp(const StartRequest& request, const std::optional<Identity>& identity) {
  if (request.dotfiles && request.app != "static") {
    return absl::InvalidArgumentError(
        absl::StrCat("--dotfiles is for static, and the app is ", request.app));
  }
  const bool programs = IsProgram(request);
  if (!request.front_given.empty() && !front::IsProxy(request.app) && !request.launch.front) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.front_given[0], " is for proxy and for programs behind a worker, and ",
                     programs ? "no worker stands before " : "the app is ", request.app,
                     request.launch.direct_given ? " (--direct)" : ""));
  }
  if (const absl::StatusOr<uint16_t> port = ProgramPortOf(request.listen); !port.ok()) {
    return port.status();
  } else if (*port != 0 && !request.launch.front) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen: '=", *port, "', the program's own port, is for programs behind a worker"));
  }
  if (!programs) {
    if (request.launch.given.empty()) return CheckNativeApp(request, identity);
    return absl::InvalidArgumentError(absl::StrCat(
        request.launch.given[0], " is for programs, and ", request.app, " is a native app"));
  }
  const absl::StatusOr<exec::LaunchOptions> launch = ToLaunchOptions(request);
  if (!launch.ok()) return launch.status();
  if (request.launch.front) return CheckFront(*launch);
  if (request.probe_given && request.probe != "off") {
    return absl::InvalidArgumentError(
        "--probe asks a worker, and none stands before this program: its successor shares its "
        "listener, so nothing tells which of them would answer (see --wait-ready)");
  }
  if (!launch->upstream.empty()) {
    return absl::InvalidArgumentError("--upstream is for programs behind a worker");
  }
  return exec::CheckLaunch(*launch);
}

// Of workers that become another user, and load the app or start the program then; what is carried is carried on.
std::vector<std::string> WorkerEnvironment(const Identity& identity, const LaunchRequest& launch) {
  std::vector<std::string> environment =
      EnvironmentAs(identity, exec::OwnEnvironment(), launch.keep_environment);
  for (std::string& variable : exec::CarriedAsItIs()) environment.push_back(std::move(variable));
  return environment;
}

absl::StatusOr<coordinator::CoordinatorOptions> ToCoordinatorOptions(const StartRequest& request) {
  absl::StatusOr<worker::WorkerOptions> worker = ToWorkerOptions(request);
  if (!worker.ok()) return worker.status();
  if (absl::Status status =
          CheckRange("--workers", request.workers, 0, int64_t{policy::kWorkersMax});
      !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckAnyApp(request, worker->identity); !status.ok()) return status;
  coordinator::CoordinatorOptions options;
  options.supervisor.workers = request.workers > 0 ? static_cast<uint32_t>(request.workers)
                                                   : static_cast<uint32_t>(UsableCores());
  options.supervisor.workers = std::min(options.supervisor.workers, policy::kWorkersMax);
  options.supervisor.listen_timeout = request.listen_timeout;
  options.supervisor.kill_timeout = request.kill_timeout;
  absl::StatusOr<RestartPlan> restarts = PlanRestarts(request.restarts, ToWatchedApp(request));
  if (!restarts.ok()) return restarts.status();
  options.supervisor.restarts = restarts->restarts;
  options.recycle = restarts->recycle;
  options.cron = restarts->cron;
  options.watch = restarts->watch;
  options.health.hang_timeout = request.hang_timeout;
  if (absl::Status status = CheckRange("--roll-width", request.roll_width, 1, 64); !status.ok()) {
    return status;
  }
  options.supervisor.roll_width = static_cast<uint32_t>(request.roll_width);
  options.supervisor.soak = request.soak;
  if (request.launch.front) options.supervisor.settle = kSettle;
  if (IsProgram(request)) {
    options.kind =
        request.launch.front ? scoreboard::AppKind::kBehindFronts : scoreboard::AppKind::kProgram;
  }
  options.supervisor.rebalancing = request.rebalance && !options.launches();
  const absl::StatusOr<coordinator::ModeRequest> mode = ToModeRequest(request);
  if (!mode.ok()) return mode.status();
  options.mode = *mode;
  const absl::StatusOr<coordinator::ProbeOptions> probe = ToProbeOptions(request);
  if (!probe.ok()) return probe.status();
  options.probe = *probe;
  options.supervisor.probing = probe->enabled;
  options.workers_given = request.workers_given;
  options.name = request.name.empty() ? NameFromApp(request.app) : request.name;
  options.addresses = worker->addresses;
  if (worker->identity.has_value()) {
    options.serves_as = worker->identity->ToString();
    options.serves_as_id = worker->identity->uid;
  }
  options.cpu_affinity = request.cpu_affinity;
  options.listen.backlog = worker->backlog;
  options.binary = OwnBinary();
  options.worker_arguments = SameWords("worker", request);
  // A launcher stays who we are, and makes its program's environment itself.
  if (!options.launches() && worker->identity.has_value()) {
    options.worker_environment = WorkerEnvironment(*worker->identity, request.launch);
  }
  options.own_arguments = SameWords("start", request);
  options.app_text = absl::StrCat(request.app, request.app_arguments.empty() ? "" : " ",
                                  absl::StrJoin(request.app_arguments, " "));
  options.command_line = absl::StrCat("start ", absl::StrJoin(request.command_line, " "));
  return options;
}

// Variables of the operator that are ours to set, in one line.
void TellOfOverruled(const StartRequest& request) {
  if (!IsProgram(request)) return;
  const absl::StatusOr<exec::LaunchOptions> launch = ToLaunchOptions(request);
  if (!launch.ok()) return;
  const std::vector<std::string> names = exec::OverruledIn(*launch);
  if (names.empty()) return;
  PrintError(absl::StrCat(
      absl::StrJoin(names, ", "), names.size() == 1 ? " is" : " are",
      " not passed on to the program: ", "uring-cluster itself sets what stands there"));
}

std::string LogFileOf(const StartRequest& request, const std::string& directory) {
  if (request.daemon && request.log_file.empty()) return Absolute(directory + "/log");
  return Absolute(request.log_file);
}

absl::StatusOr<LogPlan> PlanLogs(const StartRequest& request, const std::string& name) {
  return MakeLogPlan(request.logs, name, request.daemon ? Ground::kBackground : Ground::kForeground,
                     StateDirectory(request.base_directory) + "/logs");
}

// Also makes the files: that they cannot be made is found before anything runs.
absl::StatusOr<ClusterRecord> ToRecord(const StartRequest& request,
                                       const coordinator::CoordinatorOptions& options) {
  absl::StatusOr<LogPlan> plan = PlanLogs(request, options.name);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckWritable(*plan); !status.ok()) return status;
  const std::string logs = Absolute(StateDirectory(request.base_directory) + "/logs/");
  if (absl::StartsWith(plan->out_file, logs) || absl::StartsWith(plan->error_file, logs)) {
    absl::Status status = TakeStateName(request.base_directory, options.name);
    if (!status.ok()) return status;
  }
  ClusterRecord record;
  record.name = options.name;
  record.words = request.command_line;
  record.directory = WorkingDirectory();
  record.environment = exec::OwnEnvironment();
  record.program_environment = exec::CarriedEnvironment();
  record.background = request.daemon;
  record.captured =
      IsCaptured(request.logs, request.daemon ? Ground::kBackground : Ground::kForeground);
  record.logs = *std::move(plan);
  record.log_file = options.log_file;
  record.serves_as = options.serves_as_id;
  return record;
}

}  // namespace

std::string NameFromApp(const std::string& app) {
  absl::string_view name = app;
  if (const size_t slash = name.rfind('/'); slash != absl::string_view::npos)
    name.remove_prefix(slash + 1);
  if (absl::ConsumeSuffix(&name, ".so")) absl::ConsumePrefix(&name, "lib");
  if (!exec::InterpreterOf(name).empty()) name = name.substr(0, name.rfind('.'));
  return std::string(name);
}

absl::StatusOr<worker::WorkerOptions> ToWorkerOptions(const StartRequest& request) {
  if (absl::Status status = CheckDurations(request); !status.ok()) return status;
  if (absl::Status status = CheckRange("--backlog", request.backlog, 1, 1 << 20); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckRange("--max-connections", request.connections_max, 0, 1 << 24);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckRange("--max-in-flight", request.in_flight_max, 0, 1 << 24);
      !status.ok()) {
    return status;
  }
  if (absl::Status status =
          CheckRange("--body-memory", request.body_memory, 1 << 16, int64_t{1} << 40);
      !status.ok()) {
    return status;
  }
  worker::WorkerOptions options;
  options.app = request.app;
  options.app_arguments = request.app_arguments;
  options.dotfiles = request.dotfiles ? app::Dotfiles::kShown : app::Dotfiles::kHidden;
  absl::StatusOr<std::optional<Identity>> identity = FindIdentity(request.user, request.group);
  if (!identity.ok()) return identity.status();
  options.identity = *std::move(identity);
  for (const std::string& text : request.listen) {
    const absl::StatusOr<ListenFlag> flag = ParseListen(text);
    if (!flag.ok()) return flag.status();
    const net::Address& address = flag->address;
    if (address.port() != 0 &&
        std::count(options.addresses.begin(), options.addresses.end(), address)) {
      return absl::InvalidArgumentError(absl::StrCat("--listen=", text, " is there twice"));
    }
    options.addresses.push_back(address);
  }
  const bool own = request.listen.empty() && IsProgram(request);
  if ((options.addresses.empty() && !own) || options.addresses.size() > link::kAddressesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen takes 1 to ", link::kAddressesMax, " addresses"));
  }
  options.backlog = static_cast<int>(request.backlog);
  options.header_timeout = request.header_timeout;
  options.body_timeout = request.body_timeout;
  options.idle_timeout = request.idle_timeout;
  // A program may take as long as it likes, unless the operator says otherwise.
  const bool unlimited = request.launch.front && !request.request_timeout_given;
  options.request_timeout = unlimited ? kDurationMax : request.request_timeout;
  options.in_flight_max = static_cast<uint32_t>(request.in_flight_max);
  const absl::StatusOr<worker::ClientProtocol> protocol = ToClientProtocol(request.protocol);
  if (!protocol.ok()) return protocol.status();
  options.client_protocol = *protocol;
  options.first_byte_timeout = request.first_byte_timeout;
  absl::StatusOr<net::Networks> trusted = net::Networks::Parse(request.trusted_proxies);
  if (!trusted.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--trusted-proxies: ", trusted.status().message()));
  }
  options.trusted_proxies = *std::move(trusted);
  options.connections_max = static_cast<uint32_t>(request.connections_max);
  options.body_memory = static_cast<size_t>(request.body_memory);
  options.heartbeat_period = HeartbeatPeriod(request.hang_timeout);
  options.cpu_affinity = request.cpu_affinity;
  return options;
}

// What a program of a cluster has started ends with it: this one, too. `directory`: of the cluster that is to be started.
absl::Status CheckSurroundings(const std::string& directory) {
  const char* const variable = getenv(link::kWorkerMarkVariable);
  if (variable == nullptr || coordinator::IsRehearsal() || coordinator::IsUpgraded()) {
    return absl::OkStatus();
  }
  const std::optional<link::WorkerMark> mark = link::ParseWorkerMark(variable);
  if (!mark.has_value()) return absl::OkStatus();
  constexpr absl::string_view kCure =
      "'systemd-run --user --scope' and the like give it a life of its own";
  if (mark->directory == coordinator::MarkedDirectory(directory)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a program of this very cluster cannot start it: the coordinator would end with that "
        "program; ",
        kCure));
  }
  PrintError(absl::StrCat("started by a program of the cluster in ", mark->directory,
                          ", this cluster ends with that program; ", kCure));
  return absl::OkStatus();
}

int RunStart(StartRequest request) {
  const absl::StatusOr<std::string> without_front = DecideFront(request);
  if (!without_front.ok()) {
    PrintError(without_front.status().message());
    return kExitOperator;
  }
  // The program gets the limit that we were started with; an upgrade has it from the program before it.
  if (!coordinator::IsUpgraded()) exec::CarryDescriptorLimit(DescriptorLimit());
  RaiseDescriptorLimit();
  absl::StatusOr<coordinator::CoordinatorOptions> options = ToCoordinatorOptions(request);
  if (!options.ok()) {
    PrintError(options.status().message());
    return kExitOperator;
  }
  // A coordinator that has the name from before goes on with it.
  if (options->name == "all" && !coordinator::IsRehearsal() && !coordinator::IsUpgraded()) {
    PrintError("--name=all: 'all' means every cluster to stop, restart and others; choose another");
    return kExitOperator;
  }
  const absl::StatusOr<std::string> directory =
      PrepareClusterDirectory(request.base_directory, options->name);
  if (!directory.ok()) {
    PrintError(directory.status().message());
    return kExitOperator;
  }
  if (absl::Status status = CheckSurroundings(*directory); !status.ok()) {
    PrintError(status.message());
    return kExitOperator;
  }
  options->directory = *directory;
  options->log_file = LogFileOf(request, *directory);
  options->log_limits = {request.logs.size_max, static_cast<int>(request.logs.files)};
  const absl::StatusOr<ClusterRecord> record = ToRecord(request, *options);
  if (!record.ok()) {
    PrintError(record.status().message());
    return kExitOperator;
  }
  // What the workers write to stderr goes into the log file, too: by the log writer, which follows its rotation as no
  // program would that holds the file itself.
  options->stdout_captured = record->captured;
  if (record->captured || !options->log_file.empty()) {
    options->scribe_arguments = SameWords("scribe", request);
  }
  if (coordinator::IsRehearsal()) {
    const absl::Status status = coordinator::RehearseUpgrade(*options);
    if (!status.ok()) {
      PrintError(status.message());
      return kExitOperator;
    }
    std::fputs(coordinator::RehearsalAnswer().c_str(), stdout);
    return kExitDone;
  }
  // The program before this one has become a daemon and opened the log already.
  if (coordinator::IsUpgraded()) return RunHere(*options, *record);
  TellOfOverruled(request);
  if (!without_front->empty()) PrintError(*without_front);
  if (request.daemon) {
    const std::string warning = LingerWarning(request.base_directory);
    if (!warning.empty()) PrintError(warning);
    return RunBehind(*options, *record,
                     request.allow_partial ? Incomplete::kAllowed : Incomplete::kFails);
  }
  return RunLogging(*options, *record);
}

int RunScribe(const StartRequest& request) {
  const std::string name = request.name.empty() ? NameFromApp(request.app) : request.name;
  const absl::StatusOr<LogPlan> plan = PlanLogs(request, name);
  if (!plan.ok()) {
    PrintError(plan.status().message());
    return kExitOperator;
  }
  ScribeOptions options;
  options.plan = *plan;
  options.cluster_directory = absl::StrCat(request.base_directory, "/", name);
  options.log_file = LogFileOf(request, options.cluster_directory);
  return RunScribe(options, Fd(link::kWorkerLinkFd));
}

}  // namespace uc::tools
