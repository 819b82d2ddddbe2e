// StateName: a cluster's name in STATE, where its logs are named after it. STATE may belong to several run directories:
// one user with two XDG_RUNTIME_DIRs (a login, and cron), or one URING_CLUSTER_STATE_DIR for all. Two clusters of one name
// would write, rotate and empty the same files there.
//
// STATE/names/NAME says in which run directory the name was last started. Refused: files named after the run directory as
// well, for `logs`, `save` and `resurrect` are to find the same files after the next login.
#ifndef TOOLS_STATE_NAME_H_
#define TOOLS_STATE_NAME_H_

#include <string>

#include "absl/status/status.h"

namespace uc::tools {

// For BASE/NAME, which is there. AlreadyExists: a cluster of this name runs in another BASE with this STATE. Where STATE
// cannot be written, or is not to be trusted, nothing is known and nothing refused.
absl::Status TakeStateName(const std::string& base, const std::string& name);

}  // namespace uc::tools

#endif  // TOOLS_STATE_NAME_H_
