// From a coordinator's options to its end, here or behind --daemon; and the cluster's record along the way: written when
// the run directory is ours, kept if the cluster was ready in the background, else put back as it was.
#ifndef TOOLS_RUN_COORDINATOR_H_
#define TOOLS_RUN_COORDINATOR_H_

#include "core/coordinator/coordinator_options.h"
#include "tools/record.h"

namespace uc::tools {

// All print the one line of an error and return the exit code. In the foreground, until the cluster ends.
int RunHere(const coordinator::CoordinatorOptions& options, const ClusterRecord& record);
// The same, with the log file as stderr.
int RunLogging(const coordinator::CoordinatorOptions& options, const ClusterRecord& record);
// In a child that outlives us: returns when the start is over, or has failed. Twice: in the child at its end, too.
// kExitFailed with the reasons if a slot does not serve, and the cluster goes on; kExitDone with them for kAllowed.
enum class Incomplete { kFails, kAllowed };
int RunBehind(const coordinator::CoordinatorOptions& options, const ClusterRecord& record,
              Incomplete incomplete);

}  // namespace uc::tools

#endif  // TOOLS_RUN_COORDINATOR_H_
