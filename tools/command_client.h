// CommandClient: gives one command to a coordinator and waits for the truth.
#ifndef TOOLS_COMMAND_CLIENT_H_
#define TOOLS_COMMAND_CLIENT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::tools {

struct Answer {
  std::string outcome;  // "done", "failed", "refused"
  std::string text;
};

// Waits as long as the coordinator lives. `progress` gets each line on the way. Unavailable: there is no
// coordinator, it does not read its control pipe, or it died meanwhile. Cancelled: SIGINT or SIGTERM
// came; the command goes on. Blocks both signals and ignores SIGPIPE from then on: the caller exits next.
absl::StatusOr<Answer> SendCommand(const std::string& directory, const std::string& command,
                                   const std::function<void(absl::string_view)>& progress);

enum class OrphanEnd {
  kAsked,   // SIGTERM; SIGKILL for those that are still there after 10 s
  kAtOnce,  // SIGKILL
};
// For a cluster whose coordinator is gone: ends the workers that are left and removes what it left
// behind, except its log. Returns how many there were; `killed` says how many of them by SIGKILL.
// FailedPrecondition, with nothing touched: a new coordinator is there already, or the scoreboard, which
// alone knows the workers, cannot be read.
absl::StatusOr<int> EndOrphans(const std::string& directory, OrphanEnd how = OrphanEnd::kAsked,
                               int* killed = nullptr);
// How many workers a dead coordinator has left behind.
int CountOrphans(const std::string& directory);

}  // namespace uc::tools

#endif  // TOOLS_COMMAND_CLIENT_H_
