// Birth: how a worker comes into the world: a row of the scoreboard, a link with its assignment already in it, an inbox,
// a door, streams for its output, and then a process that has them.
//
// Nothing of this is in the coordinator's tables until the process is there.
#ifndef CORE_COORDINATOR_BIRTH_H_
#define CORE_COORDINATOR_BIRTH_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/coordinator/coordinator_options.h"
#include "core/coordinator/worker_output.h"
#include "core/coordinator/worker_process.h"
#include "core/net/address.h"
#include "core/policy/action.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

struct Birth {
  policy::WorkerId id;
  policy::Entry entry = policy::Entry::kAtOnce;
  uint32_t ring_entries = 0;            // of a native worker's ring (core/ring/ring_size.h)
  std::vector<net::Address> addresses;  // those of --listen
  std::vector<int> steering;            // borrowed; empty: there is no steering
  std::vector<int> listeners;           // of its slot, borrowed; empty: it binds them itself
};

// FailedPrecondition: the binary cannot be executed. Others: out of something for now.
absl::StatusOr<WorkerProcess> GiveBirth(const CoordinatorOptions& options, const Birth& birth,
                                        scoreboard::Scoreboard& board, WorkerOutput& output);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_BIRTH_H_
