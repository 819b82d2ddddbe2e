// Assigned: what came with the coordinator's Assign, sorted, each descriptor under its name (link/message.h).
#ifndef CORE_EXEC_ASSIGNED_H_
#define CORE_EXEC_ASSIGNED_H_

#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/link/message.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::exec {

struct Assigned {
  link::Assign assign;
  scoreboard::ReportsMapping reports;
  Fd inbox, inbox_writing, door;
  std::vector<Fd> steering;
  std::vector<Fd> listeners;
};

// Waits for it (link::AwaitAssign). FailedPrecondition as well: the scoreboard has no such row. Or why the scoreboard
// cannot be had.
absl::StatusOr<Assigned> AwaitAssigned(link::Channel& channel);

}  // namespace uc::exec

#endif  // CORE_EXEC_ASSIGNED_H_
