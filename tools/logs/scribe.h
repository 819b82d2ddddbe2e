// Scribe: the process that reads what the workers write and puts it where the plan says. One for a cluster; the
// coordinator starts it and starts it again, and it outlives the coordinator
// (core/coordinator/worker_output.h says how the two speak).
//
// Its one duty is to read: a worker must never wait for a disk or a terminal, so what cannot be written at once is
// lost and counted. It leaves when it is told to, or when no worker writes any more and no coordinator is there.
#ifndef TOOLS_LOGS_SCRIBE_H_
#define TOOLS_LOGS_SCRIBE_H_

#include <string>

#include "core/base/fd.h"
#include "tools/logs/log_plan.h"

namespace uc::tools {

struct ScribeOptions {
  LogPlan plan;
  std::string cluster_directory;  // BASE/NAME
  std::string
      log_file;  // our own stderr, opened again with the others; empty: it is no file of ours
};

// `commands`: the FIFO of commands. Returns the exit code.
int RunScribe(const ScribeOptions& options, Fd commands);

}  // namespace uc::tools

#endif  // TOOLS_LOGS_SCRIBE_H_
