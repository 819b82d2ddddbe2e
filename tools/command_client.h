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
// coordinator, it does not read its control pipe, or it died meanwhile. DeadlineExceeded: it has not taken the command,
// which is withdrawn. Cancelled: SIGINT or SIGTERM came; the command goes on if it was taken, and is withdrawn if not.
// Blocks both signals and ignores SIGPIPE from then on: the caller exits next.
absl::StatusOr<Answer> SendCommand(const std::string& directory, const std::string& command,
                                   const std::function<void(absl::string_view)>& progress);

}  // namespace uc::tools

#endif  // TOOLS_COMMAND_CLIENT_H_
