// Launcher: the worker of a slot whose app is a program of its own, in any language, unchanged.
//
// It stands between the coordinator and the program: it keeps the link, the door and the heartbeat as any worker
// does, starts the program with the preload library, brings its questions about listeners to the coordinator and the
// coordinator's orders to it, and ends as it ends.
//
//   READY   the program listens (or has said that it is ready, with LaunchOptions::wait_ready)
//   drain   its listeners are closed to it, then it is asked to leave: by message or by signal
//   health  it is silent when its event loop does not turn while connections wait for it
#ifndef CORE_EXEC_LAUNCHER_H_
#define CORE_EXEC_LAUNCHER_H_

#include <string>
#include <vector>

#include "core/exec/program.h"
#include "core/link/channel.h"

namespace uc::exec {

struct LaunchOptions {
  ProgramOptions program;
  std::string name;                      // of the cluster
  std::string preload;                   // path of the library
  std::vector<std::string> environment;  // "KEY=VALUE", besides what we have ourselves
  std::string user;                      // to run it as; empty: as we are
  bool wait_ready = false;
  bool shutdown_with_message = false;
  int kill_signal = 2;  // SIGINT, as PM2 does
};

// In the coordinator, before it spawns: everything about the program that can be known without running it.
absl::Status CheckLaunch(const LaunchOptions& options);

// Returns the exit code, or does not return: it ends by the signal that the program ended by.
int RunLauncher(const LaunchOptions& options, link::Channel channel);

}  // namespace uc::exec

#endif  // CORE_EXEC_LAUNCHER_H_
