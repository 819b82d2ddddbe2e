#include "tools/launch.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/app/load.h"
#include "core/coordinator/left_programs.h"
#include "core/exec/carried.h"
#include "core/front/own_listener.h"
#include "core/front/proxy.h"
#include "tools/listen_flag.h"
#include "tools/start.h"

namespace uc::tools {
namespace {

absl::StatusOr<int> ToSignal(absl::string_view text) {
  absl::string_view name = text;
  absl::ConsumePrefix(&name, "SIG");
  int number = 0;
  if (absl::SimpleAtoi(name, &number) && number > 0 && number < NSIG) return number;
  for (number = 1; number < NSIG; ++number) {
    const char* const known = sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--kill-signal=", text, ": no such signal; examples: SIGINT, TERM, 15"));
}

absl::StatusOr<exec::ReadyWhen> ToReadyWhen(const LaunchRequest& launch) {
  const std::string& text = launch.ready;
  if (text.empty()) {
    return launch.wait_ready ? exec::ReadyWhen::kSaysSo : exec::ReadyWhen::kListens;
  }
  if (launch.wait_ready && text != "message") {
    return absl::InvalidArgumentError(
        absl::StrCat("--wait-ready is --ready=message, but there is --ready=", text));
  }
  if (text == "listen") return exec::ReadyWhen::kListens;
  if (text == "message") return exec::ReadyWhen::kSaysSo;
  if (text == "start") return exec::ReadyWhen::kStarted;
  return absl::InvalidArgumentError(
      absl::StrCat("--ready=", text, ": expected listen, message or start"));
}

absl::StatusOr<exec::SocketWay> ToSocketWay(const std::string& text) {
  if (text == "auto") return exec::SocketWay::kAuto;
  if (text == "preload") return exec::SocketWay::kPreload;
  if (text == "listen-fds") return exec::SocketWay::kListenFds;
  return absl::InvalidArgumentError(
      absl::StrCat("--sockets=", text, ": expected auto, preload or listen-fds"));
}

}  // namespace

bool IsProgram(const StartRequest& request) {
  if (!request.launch.interpreter.empty()) return true;
  return !app::IsNative(request.app) && !front::IsProxy(request.app);
}

absl::StatusOr<std::string> DecideFront(StartRequest& request) {
  LaunchRequest& launch = request.launch;
  if (launch.front_given && launch.direct_given) {
    return absl::InvalidArgumentError("--front and --direct: one of them at a time");
  }
  launch.front = launch.front_given;
  if (!IsProgram(request) || launch.front_given || launch.direct_given) return "";
  // It serves nobody.
  if (launch.ready == "start") return "";
  launch.front = true;
  const absl::StatusOr<exec::LaunchOptions> options = ToLaunchOptions(request);
  if (!options.ok() || !options->addresses.empty() || !launch.upstream.empty())
    return "";  // what is wrong is said elsewhere
  const absl::StatusOr<exec::Program> program = exec::FindProgram(options->program);
  if (!program.ok() || exec::WayOf(*options, *program) == exec::SocketWay::kPreload) return "";
  launch.front = false;
  return absl::StrCat("no worker stands before ", request.app, ", for where it listens cannot be ",
                      "seen; with --listen=ADDR:PORT it gets a private port as PORT");
}

absl::StatusOr<exec::LaunchOptions> ToLaunchOptions(const StartRequest& request) {
  const LaunchRequest& launch = request.launch;
  exec::LaunchOptions options;
  options.program.path = request.app;
  options.program.interpreter = launch.interpreter;
  options.program.interpreter_arguments =
      absl::StrSplit(launch.interpreter_arguments, ' ', absl::SkipEmpty());
  options.program.arguments = request.app_arguments;
  options.program.directory = launch.directory;
  options.name = request.name.empty() ? NameFromApp(request.app) : request.name;
  options.cluster_directory =
      coordinator::MarkedDirectory(absl::StrCat(request.base_directory, "/", options.name));
  options.environment = exec::CarriedEnvironment();
  for (const std::string& variable : launch.environment) {
    if (variable.find('=') == std::string::npos || variable[0] == '=') {
      return absl::InvalidArgumentError(absl::StrCat("--env=", variable, ": expected KEY=VALUE"));
    }
    options.environment.push_back(variable);
  }
  for (absl::string_view variable : options.environment) {
    if (absl::ConsumePrefix(&variable, "PATH="))
      options.program.search_path = std::string(variable);
  }
  options.keep_environment = launch.keep_environment;
  options.descriptors = exec::CarriedDescriptorLimit();
  absl::StatusOr<worker::WorkerOptions> worker = ToWorkerOptions(request);
  if (!worker.ok()) return worker.status();
  options.identity = worker->identity;
  options.addresses = worker->addresses;
  const absl::StatusOr<uint16_t> port = ProgramPortOf(request.listen);
  if (!port.ok()) return port.status();
  options.program_port = *port;
  options.backlog = worker->backlog;
  options.heartbeat_period = worker->heartbeat_period;
  options.cpu_affinity = worker->cpu_affinity;
  const absl::StatusOr<exec::ReadyWhen> ready = ToReadyWhen(launch);
  if (!ready.ok()) return ready.status();
  options.ready = *ready;
  const absl::StatusOr<exec::SocketWay> sockets = ToSocketWay(launch.sockets);
  if (!sockets.ok()) return sockets.status();
  options.sockets = *sockets;
  if (!launch.upstream.empty()) {
    if (absl::Status status = front::CheckUpstream(launch.upstream); !status.ok()) return status;
    if (options.sockets != exec::SocketWay::kAuto) {
      return absl::InvalidArgumentError(
          absl::StrCat("--upstream and --sockets=", launch.sockets, ": one of them at a time"));
    }
    options.upstream = launch.upstream;
  }
  const absl::StatusOr<int> signal = ToSignal(launch.kill_signal);
  if (!signal.ok()) return signal.status();
  options.kill_signal = *signal;
  absl::StatusOr<std::vector<int>> done_codes = DoneCodes(request.restarts);
  if (!done_codes.ok()) return done_codes.status();
  options.done_codes = *std::move(done_codes);
  options.listen_timeout = request.listen_timeout;
  options.kill_timeout = request.kill_timeout;
  // Stuck is not slow: unless the operator says how long is too long, a program takes the time that it takes.
  if (request.hang_timeout_given && request.probe != "off") {
    options.hang_timeout = request.hang_timeout;
    options.probe_path = request.probe;
  }
  options.shutdown_with_message = launch.shutdown_with_message;
  return options;
}

}  // namespace uc::tools
