#include "tests/sim/run_directory.h"

#include <algorithm>

namespace uc::sim {
namespace {

using policy::Generation;
using policy::Legacy;
using policy::WorkerState;

bool CanBe(const Row& row) {
  return row.slot < policy::kWorkersMax && row.state <= static_cast<uint32_t>(WorkerState::kKilled);
}

// As core/coordinator does with what is no state at all.
WorkerState StateOf(const Row& row) {
  return row.state <= static_cast<uint32_t>(WorkerState::kKilled)
             ? static_cast<WorkerState>(row.state)
             : WorkerState::kStarting;
}

const Row* RowOf(const RunDirectory& directory, Generation generation) {
  const auto row = std::find_if(directory.rows.begin(), directory.rows.end(),
                                [&](const Row& one) { return one.generation == generation; });
  return row == directory.rows.end() ? nullptr : &*row;
}

// nullopt: it cannot be taken in.
std::optional<Legacy::Found> Judge(Generation generation, const Keeper& keeper, const Row* row,
                                   TakeOver how) {
  if (how == TakeOver::kChecked) {
    if (row == nullptr || !CanBe(*row)) return std::nullopt;
    if (keeper.hello.has_value() && keeper.hello->slot != row->slot) return std::nullopt;
  }
  if (keeper.hello.has_value()) {
    return Legacy::Found{{keeper.hello->slot, generation},
                         keeper.hello->state,
                         keeper.ready_at,
                         keeper.hello->adopted};
  }
  if (row == nullptr) return std::nullopt;
  return Legacy::Found{{row->slot, generation}, StateOf(*row), keeper.ready_at, {}, false};
}

}  // namespace

TakenOver ReadRunDirectory(const RunDirectory& directory, TakeOver how) {
  TakenOver taken;
  taken.legacy.workers_wanted = directory.workers_wanted;
  taken.legacy.newest_generation = directory.newest_generation;
  taken.legacy.stopped = directory.stopped;
  taken.legacy.live.assign(directory.live.begin(), directory.live.end());
  for (const auto& [generation, keeper] : directory.doors) {
    const Row* const row = RowOf(directory, generation);
    if (how == TakeOver::kByRows && (row == nullptr || row->pid <= 0)) continue;
    const std::optional<Legacy::Found> found = Judge(generation, keeper, row, how);
    if (!found.has_value()) {
      taken.dismissed.push_back(keeper.pid);
      continue;
    }
    const bool by_row = how == TakeOver::kByRows || how == TakeOver::kPidOfRow;
    taken.processes[generation] = by_row && row != nullptr ? row->pid : keeper.pid;
    taken.legacy.workers.push_back(*found);
  }
  return taken;
}

}  // namespace uc::sim
