// LeftPrograms: what programs have started and what outlives their workers, found by the mark in its environment
// (core/link/worker_mark.h) alone: for when scoreboard and doors are gone with them.
//
// A mark is the word of the process that has it. It is believed of processes of the users that the cluster runs as, and only
// while the process is in its worker's session and that worker is gone: who has made a session of its own has left.
// Refused: the addresses of the cluster. A socket does not say who made it.
#ifndef CORE_COORDINATOR_LEFT_PROGRAMS_H_
#define CORE_COORDINATOR_LEFT_PROGRAMS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/fd.h"

namespace uc::coordinator {

struct LeftProgram {
  Fd pidfd;
  pid_t pid = 0;
  pid_t group = 0;
  uid_t user = 0;
  std::string directory;  // of its cluster
};

// Of all clusters; one pass over /proc. What cannot be read there (another user's, or a program that hides its memory) is
// not found.
std::vector<LeftProgram> FindLeftPrograms();

// BASE/NAME as a mark has it: BASE without links.
std::string MarkedDirectory(const std::string& directory);

// How many process groups of the cluster in `directory` are left; `users`: whom it may run as.
size_t CountLeftPrograms(const std::string& directory, absl::Span<const uid_t> users);

// SIGKILL to all of them, until nobody is found any more.
struct LeftEnd {
  int groups = 0;            // that were there
  std::vector<pid_t> alive;  // that could not be ended
};
LeftEnd EndLeftPrograms(const std::string& directory, absl::Span<const uid_t> users,
                        absl::Duration patience);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_LEFT_PROGRAMS_H_
