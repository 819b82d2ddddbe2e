// RunDirectory: what a coordinator leaves to the next one besides its workers: the scoreboard's header and rows, and
// the doors; and what the next one makes of them. A model of core/coordinator/{birth,former_workers}.h.
//
// A row may lie: every worker maps the rows writable, and a coordinator may die before it has filled one. A door cannot:
// the kernel tells who listens there, and its name is the generation.
#ifndef TESTS_SIM_RUN_DIRECTORY_H_
#define TESTS_SIM_RUN_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/supervisor.h"

namespace uc::sim {

using Pid = int;

struct Row {
  Pid pid = 0;  // 0: its process was never noted
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t state = 0;  // a policy::WorkerState, or nonsense
};

// The process behind a door, and what it says when somebody knocks; no Hello: it starts, is stopped or hangs.
struct Keeper {
  struct Hello {
    policy::SlotIndex slot = 0;
    policy::WorkerState state = policy::WorkerState::kServing;
    std::vector<policy::SlotIndex> adopted;
  };
  Pid pid = 0;
  absl::Time ready_at = absl::InfiniteFuture();
  std::optional<Hello> hello;
};

struct RunDirectory {
  uint32_t workers_wanted = 1;
  uint32_t newest_generation = 0;
  std::vector<policy::SlotIndex> stopped;
  std::set<policy::SlotIndex> live;
  std::vector<Row> rows;
  std::map<policy::Generation, Keeper> doors;  // those that somebody keeps
};

// How the next coordinator finds the workers, and what it believes of a row whose worker does not answer.
enum class TakeOver {
  // By rows and doors; a worker in no row that could be, or that says something else than its row, has to leave.
  kChecked,
  // What a worker says is believed; where it is silent, the row as it stands: the policy has to cope.
  kByRowsAndDoors,
  // Worse than ours. The same, but the pid is the row's.
  kPidOfRow,
  // And a door without a row is not looked at (before issue 10).
  kByRows,
};

struct TakenOver {
  policy::Legacy legacy;
  std::map<policy::Generation, Pid> processes;  // who is told when this worker is named
  std::vector<Pid> dismissed;  // behind a door, and not to be taken in: killed and waited for
};
TakenOver ReadRunDirectory(const RunDirectory& directory, TakeOver how);

}  // namespace uc::sim

#endif  // TESTS_SIM_RUN_DIRECTORY_H_
