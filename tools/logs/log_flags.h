// The flags that are about the workers' output: of `start`, and of `logs`.
#ifndef TOOLS_LOGS_LOG_FLAGS_H_
#define TOOLS_LOGS_LOG_FLAGS_H_

#include "tools/flag_walk.h"
#include "tools/logs/log_plan.h"
#include "tools/logs/log_verbs.h"

namespace uc::tools {

FlagSet LogFlags();
LogRequest ReadLogFlags();

// Those of `logs` itself.
FlagSet LogVerbFlags();
LogVerbOptions ReadLogVerbFlags();

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LOG_FLAGS_H_
