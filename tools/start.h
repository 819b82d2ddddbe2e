// Start: from the words of `uring-cluster start` to a running coordinator, in the foreground or behind
// --daemon; and from the same words, in an exec'd worker, to the worker's options.
#ifndef TOOLS_START_H_
#define TOOLS_START_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/worker/worker_options.h"
#include "tools/launch.h"
#include "tools/logs/log_plan.h"
#include "tools/restart_flags.h"

namespace uc::tools {

// The command line, taken apart but not yet checked.
struct StartRequest {
  std::string app;
  std::vector<std::string> app_arguments;
  std::vector<std::string> listen;  // "ADDR:PORT"
  LaunchRequest launch;             // of an app that is a program of its own
  std::string user, group;          // what serves becomes: names or numbers; empty: as we are
  bool dotfiles = false;            // of "static": they are served
  int64_t workers = 0;              // 0: as many as this machine or container may really use
  std::string name;                 // empty: from the app
  std::string base_directory;       // the cluster lives in BASE/NAME
  bool daemon = false;
  bool allow_partial = false;
  LogRequest logs;       // of the workers' output
  std::string log_file;  // empty: BASE/NAME/log with --daemon, else stderr stays as it is
  int64_t backlog = 4096;
  bool request_timeout_given = false;
  bool hang_timeout_given = false;
  // Of "proxy" and programs.
  std::vector<std::string> front_given;  // those of the flags that were given: "--protocol"
  int64_t in_flight_max = 0;
  std::string protocol = "auto";
  absl::Duration first_byte_timeout = absl::Seconds(1);
  std::vector<std::string> trusted_proxies;
  int64_t connections_max = 0;
  int64_t body_memory = 256 << 20;
  absl::Duration listen_timeout, kill_timeout, hang_timeout, soak;
  RestartRequest restarts;
  std::string mode = "auto";
  std::string balance;  // empty: the best of the mode
  bool rebalance = true;
  bool cpu_affinity = false;
  int64_t roll_width = 1;
  std::string probe = "/";   // "off": none
  bool probe_given = false;  // by the operator
  bool workers_given = false;
  absl::Duration header_timeout, body_timeout, idle_timeout, request_timeout;
  std::vector<std::string> command_line;  // as given, behind the verb: what a worker is exec'd with
};

// "hello" -> "hello", "./libmyapp.so" -> "myapp", "src/app.js" -> "app".
std::string NameFromApp(const std::string& app);

// Prints the one line of an error and returns the process's exit code. `ready_fd` of a daemon's parent is
// handled inside: the parent returns when the cluster serves or has failed.
int RunStart(StartRequest request);

// The process that takes the workers' output, exec'd with the same words (tools/logs/scribe.h).
int RunScribe(const StartRequest& request);

// InvalidArgument names the flag that is wrong.
absl::StatusOr<worker::WorkerOptions> ToWorkerOptions(const StartRequest& request);

}  // namespace uc::tools

#endif  // TOOLS_START_H_
