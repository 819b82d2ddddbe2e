// Spawner: one worker process from nothing but a path, an argv and its end of the link.
//
// posix_spawn, never a bare fork: the worker runs the binary that is at the path now, so that a roll
// deploys a new build. It has stdout, stderr and descriptor 3 (the link), nothing else; its own
// process group keeps a terminal's Ctrl-C with the coordinator.
#ifndef CORE_COORDINATOR_SPAWNER_H_
#define CORE_COORDINATOR_SPAWNER_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc::coordinator {

struct Spawned {
  pid_t pid = 0;
  Fd pidfd;
};

// Descriptors that become its stdout and stderr; -1: ours.
struct StandardStreams {
  int out = -1;
  int err = -1;
};

// `environment`: "KEY=VALUE" each; nullopt: ours.
// Unavailable: out of processes, memory or descriptors for now. FailedPrecondition: the binary cannot be
// executed (missing, not executable).
absl::StatusOr<Spawned> SpawnWorker(
    const std::string& binary, const std::vector<std::string>& arguments, int link_fd,
    const StandardStreams& streams = {},
    const std::optional<std::vector<std::string>>& environment = {});

// "exited with code 3", "killed by SIGSEGV"; `clean` is exit code 0. Reaps the child. Unavailable: it is
// still running. Of a process that is not our child (a former coordinator's) the kernel tells from Linux 6.15 on;
// before that its end counts as clean.
struct ExitReport {
  bool clean = false;
  std::string reason;
  std::optional<int> exit_code;  // nullopt: a signal, or unknown
};
absl::StatusOr<ExitReport> Reap(const Fd& pidfd);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_SPAWNER_H_
