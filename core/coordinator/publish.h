// Publish: what the supervisor knows, written into the scoreboard for `list` and `describe`.
#ifndef CORE_COORDINATOR_PUBLISH_H_
#define CORE_COORDINATOR_PUBLISH_H_

#include <cstdint>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "core/coordinator/worker_process.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

using Processes = std::map<policy::Generation, WorkerProcess>;
// Which worker of another slot accepts for a slot.
using StandIns = std::map<policy::SlotIndex, policy::Generation>;

void Publish(absl::Time now, const policy::Supervisor& supervisor,
             const policy::RestartOptions& restarts, const Processes& processes,
             const StandIns& stand_ins, scoreboard::Layout& layout);

// A row that no worker has; nullopt: all are in use.
std::optional<uint32_t> FreeRow(const scoreboard::Layout& layout);
// Enters a worker that is about to be spawned: a take-over goes by what is written before there is a process.
void OccupyRow(policy::WorkerId id, uint32_t row, scoreboard::Layout& layout);
// Its process is there.
void EnterProcess(pid_t pid, scoreboard::WorkerRow& row);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_PUBLISH_H_
