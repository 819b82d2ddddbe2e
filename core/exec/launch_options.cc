#include "core/exec/launch_options.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace uc::exec {

absl::Status CheckLaunch(const LaunchOptions& options) {
  const absl::StatusOr<Program> program = FindProgram(options.program);
  if (!program.ok()) return program.status();
  if (options.shutdown_with_message && !program->node) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shutdown-with-message is for Node programs, and ", options.program.path,
                     " is run by ", program->argv[0]));
  }
  return absl::OkStatus();
}

}  // namespace uc::exec
