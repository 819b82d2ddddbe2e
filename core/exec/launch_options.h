// LaunchOptions: how the program of a slot is run, the same for all slots of a cluster.
#ifndef CORE_EXEC_LAUNCH_OPTIONS_H_
#define CORE_EXEC_LAUNCH_OPTIONS_H_

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/identity.h"
#include "core/exec/program.h"
#include "core/net/address.h"

namespace uc::exec {

enum class ReadyWhen {
  kListens,  // its first listen(), or READY=1
  kSaysSo,   // Node's process.send('ready'), or READY=1 (sd_notify)
  kStarted,  // at once: for programs that serve nobody
};
enum class SocketWay {
  kAuto,       // what fits the program
  kPreload,    // its own listen()
  kListenFds,  // it takes descriptors 3 and up (sd_listen_fds(3))
  kItself,     // behind a front: at `upstream`
};

struct LaunchOptions {
  ProgramOptions program;
  std::string name;                      // of the cluster
  std::string cluster_directory;         // BASE/NAME, absolute and without links
  std::vector<std::string> environment;  // "KEY=VALUE", besides what it inherits
  std::optional<Identity> identity;      // whom the program runs as; nullopt: as we are
  bool identity_taken = false;           // this process is that already, behind a front
  bool keep_environment = false;         // as another user: it inherits all of ours
  uint64_t descriptors = 0;              // its soft limit of open files; 0: ours
  std::vector<net::Address> addresses;   // of --listen; empty: its own count
  uint16_t program_port = 0;             // behind a front: its own port for those; 0: not said
  // Behind a front, with kItself: where it listens, as Endpoint::Parse takes it. "{port}", "{slot}" and "{generation}" in it, in
  // the program's arguments and in `environment` are a free port of this machine, and which worker it is behind.
  std::string upstream;
  int backlog = 4096;  // with LISTEN_FDS
  ReadyWhen ready = ReadyWhen::kListens;
  SocketWay sockets = SocketWay::kAuto;
  absl::Duration listen_timeout = absl::Seconds(10);
  absl::Duration kill_timeout = absl::Seconds(10);
  absl::Duration heartbeat_period = absl::Milliseconds(500);
  // Behind a front: one that answers nothing for so long is started again; Infinite: it may. It is asked for this path.
  absl::Duration hang_timeout = absl::InfiniteDuration();
  std::string probe_path = "/";
  bool cpu_affinity = false;  // it and its program: pinned to their slot's core
  bool shutdown_with_message = false;
  int kill_signal = SIGINT;  // as PM2 does
  // Exit codes by which it has ended as it may, ready or not.
  std::vector<int> done_codes;
};

// In the coordinator, before it spawns: everything about the program that can be known without running it.
absl::Status CheckLaunch(const LaunchOptions& options);

// Whom the program runs as.
uid_t UserOf(const LaunchOptions& options);
// Ports below this one it gets from --listen only: our own right to them is not the program's. 0: all are its own affair.
uint16_t PortLeast(const LaunchOptions& options);
// How it gets its listeners; not kAuto.
SocketWay WayOf(const LaunchOptions& options, const Program& program);

}  // namespace uc::exec

#endif  // CORE_EXEC_LAUNCH_OPTIONS_H_
