// Coordinator: turns what the operating system says into Events for the policy's Supervisor, and its
// Actions into system calls. Decides nothing, accepts nothing: it is off the data path.
//
// One thread around ppoll(2), not the ring: it must outlive what breaks io_uring. Refused: a SIGCHLD
// handler as the truth about deaths (pidfds are), waiting inside a handler of anything.
#ifndef CORE_COORDINATOR_COORDINATOR_H_
#define CORE_COORDINATOR_COORDINATOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/coordinator/coordinator_options.h"

namespace uc::coordinator {

struct Ending {
  int exit_code = 0;
  std::string text;    // why
  bool asked = false;  // by a stop
};

// Runs the cluster until it is stopped. Where workers of a coordinator that has gone still serve, it goes on with
// them. A Status is the operator's fault, found before any worker was
// spawned: directory in use (AlreadyExists), address taken, too few descriptors ... Blocks the signals it
// serves; call it on the main thread, before any other thread exists.
absl::StatusOr<Ending> RunCoordinator(const CoordinatorOptions& options);

// In the child of an upgrade's rehearsal: could this program go on with what the running one has?
absl::Status RehearseUpgrade(const CoordinatorOptions& options);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_COORDINATOR_H_
