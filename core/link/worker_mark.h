// WorkerMark: what a program finds in its environment about the worker that has started it. It is inherited, so whatever
// the program has started can be told to be its cluster's when worker, coordinator and all files of the cluster are gone.
#ifndef CORE_LINK_WORKER_MARK_H_
#define CORE_LINK_WORKER_MARK_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::link {

inline constexpr char kWorkerMarkVariable[] = "URING_CLUSTER_WORKER";

struct WorkerMark {
  pid_t pid = 0;          // of the worker
  uint64_t start = 0;     // of its process: with `pid` it names one
  pid_t session = 0;      // of the worker, and of all that does not leave it
  std::string directory;  // of the cluster, BASE/NAME, absolute and without links
};

// "PID START SESSION DIRECTORY".
std::string ToText(const WorkerMark& mark);
// nullopt: it is none.
std::optional<WorkerMark> ParseWorkerMark(absl::string_view text);

}  // namespace uc::link

#endif  // CORE_LINK_WORKER_MARK_H_
