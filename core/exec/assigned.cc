#include "core/exec/assigned.h"

#include <iterator>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "core/link/first_word.h"

namespace uc::exec {

absl::StatusOr<Assigned> AwaitAssigned(link::Channel& channel) {
  absl::StatusOr<link::Received> first = link::AwaitAssign(channel);
  if (!first.ok()) return first.status();
  const link::Assign& assign = std::get<link::Assign>(first->message);
  if (assign.row >= scoreboard::kWorkerRows) {
    return absl::FailedPreconditionError("the coordinator's first word is no assignment");
  }
  std::vector<Fd>& descriptors = first->descriptors;
  absl::StatusOr<scoreboard::ReportsMapping> reports =
      scoreboard::ReportsMapping::Attach(std::move(descriptors[0]));
  if (!reports.ok()) return reports.status();
  Assigned assigned{.assign = assign,
                    .reports = *std::move(reports),
                    .inbox = std::move(descriptors[1]),
                    .inbox_writing = std::move(descriptors[2]),
                    .door = std::move(descriptors[3]),
                    .steering = {},
                    .listeners = {}};
  const auto rest = std::make_move_iterator(descriptors.begin() + link::kAssignDescriptors);
  const auto end = std::make_move_iterator(descriptors.end());
  assigned.steering.assign(rest, rest + assign.steering);
  assigned.listeners.assign(rest + assign.steering, end);
  return assigned;
}

}  // namespace uc::exec
