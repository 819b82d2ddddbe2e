// Orphans: the workers of a cluster whose coordinator is gone, as the command line meets them: counted, ended, and what
// the coordinator left behind removed.
#ifndef TOOLS_ORPHANS_H_
#define TOOLS_ORPHANS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace uc::tools {

enum class OrphanEnd {
  kAsked,   // SIGTERM; SIGKILL for those that are still there after 10 s
  kAtOnce,  // SIGKILL
};
// For a cluster whose coordinator is gone: ends the workers that are left and removes what it left
// behind, except its log. Returns how many there were; `killed` says how many of them by SIGKILL.
// Whoever keeps a door is found, also where the scoreboard cannot be read; and what a program has forked, where its
// launcher has gone. FailedPrecondition, with nothing touched: a new coordinator is there already. DeadlineExceeded,
// with nothing removed: somebody is left.
absl::StatusOr<int> EndOrphans(const std::string& directory, OrphanEnd how = OrphanEnd::kAsked,
                               int* killed = nullptr);
// How many workers a dead coordinator has left behind.
int CountOrphans(const std::string& directory);

// Those of `names` below BASE of whose programs something is left, by what programs have in their environment: for when
// nothing else is left of a cluster.
std::vector<std::string> ListLeft(const std::string& base, const std::vector<std::string>& names);

// `why`, that cluster NAME in this directory cannot be shown, and how many of its workers serve all the same.
absl::Status WithOrphans(const std::string& directory, const std::string& name,
                         const absl::Status& why);

}  // namespace uc::tools

#endif  // TOOLS_ORPHANS_H_
