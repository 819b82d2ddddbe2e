// Launch: from the words of `uring-cluster start` to how a program is run, for apps that are programs of their own.
#ifndef TOOLS_LAUNCH_H_
#define TOOLS_LAUNCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/exec/launcher.h"

namespace uc::tools {

struct StartRequest;

// Not yet checked.
struct LaunchRequest {
  std::string interpreter;
  std::string interpreter_arguments;  // separated by spaces, as in PM2
  std::string directory;
  std::vector<std::string> environment;
  bool keep_environment = false;
  // Its worker has the clients, and it has a private listener. Decided by DecideFront, unless one of these was given.
  bool front = false;
  bool front_given = false, direct_given = false;
  std::string upstream;  // where it listens itself; empty: that is seen to
  bool wait_ready = false;
  std::string ready;  // "listen", "message", "start"; empty: listen, or message with wait_ready
  std::string sockets = "auto";
  bool shutdown_with_message = false;
  std::string kill_signal = "SIGINT";
  std::vector<std::string> given;  // flags that only mean something to programs, dashed
};

// The app is not ours and no shared object.
bool IsProgram(const StartRequest& request);

// Where neither --front nor --direct is given: a worker stands before every program that it can stand before. Returns why it
// does not, in one line for the operator; empty: it does, or was not to, or the app is none. InvalidArgument: both are given.
absl::StatusOr<std::string> DecideFront(StartRequest& request);

// InvalidArgument names the flag that is wrong.
absl::StatusOr<exec::LaunchOptions> ToLaunchOptions(const StartRequest& request);

}  // namespace uc::tools

#endif  // TOOLS_LAUNCH_H_
