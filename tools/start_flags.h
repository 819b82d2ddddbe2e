// StartFlags: what `start` can be told, and what the words of one command line ask for. Its workers are exec'd with the
// same words, and read them here again.
#ifndef TOOLS_START_FLAGS_H_
#define TOOLS_START_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "tools/flag_walk.h"
#include "tools/start.h"

namespace uc::tools {

// Those of other files (logs, restarts, config files) too.
FlagSet StartFlags();
FlagSet RepeatableStartFlags();

// What was given, not yet checked; `walk` has set the flags. InvalidArgument: there is no app, or one flag was given
// under two names.
absl::StatusOr<StartRequest> ToStartRequest(WalkResult walk, std::string base_directory);

}  // namespace uc::tools

#endif  // TOOLS_START_FLAGS_H_
