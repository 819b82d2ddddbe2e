#include "core/exec/launch_options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/net/address_use.h"

namespace uc::exec {

absl::Status CheckLaunch(const LaunchOptions& options) {
  const absl::StatusOr<Program> program = FindProgram(options.program);
  if (!program.ok()) return program.status();
  if (options.shutdown_with_message && !program->node) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shutdown-with-message is for Node programs, and ", options.program.path,
                     " is run by ", program->argv[0]));
  }
  if (!options.identity.has_value()) return absl::OkStatus();
  // As whoever will run it: what root may read says nothing about that.
  const FileAccessAs as(*options.identity);
  for (const auto& [path, how] :
       {std::pair(program->argv[0], X_OK), std::pair(program->script, R_OK)}) {
    if (path.empty() || faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0) continue;
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be ", how == R_OK ? "read: " : "executed: ", strerror(errno),
                     ", looked at as ", options.identity->ToString()));
  }
  return absl::OkStatus();
}

uid_t UserOf(const LaunchOptions& options) {
  return options.identity.has_value() ? options.identity->uid : geteuid();
}

uint16_t PortLeast(const LaunchOptions& options) {
  // Who started the cluster: a process that has taken the identity was root before.
  const uid_t starter = options.identity_taken ? 0 : geteuid();
  return UserOf(options) != starter ? net::UnprivilegedPortStart() : uint16_t{0};
}

SocketWay WayOf(const LaunchOptions& options, const Program& program) {
  if (!options.upstream.empty()) return SocketWay::kItself;
  if (options.sockets != SocketWay::kAuto) return options.sockets;
  return program.bypasses_libc ? SocketWay::kListenFds : SocketWay::kPreload;
}

}  // namespace uc::exec
