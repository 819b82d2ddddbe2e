// What outlives a coordinator, and what the next one finds of it: rows and doors, true or not.
#include <algorithm>
#include <utility>

#include "core/policy/crew.h"
#include "tests/sim/world.h"

namespace uc::sim {

using policy::WorkerId;
using policy::WorkerState;

WorkerState World::StateOf(const Process& process) {
  if (process.draining) return WorkerState::kDraining;
  if (!process.ready) return WorkerState::kStarting;
  if (!process.admitted) return WorkerState::kProving;
  return process.program == Process::Program::kServes ? WorkerState::kServing
                                                      : WorkerState::kRestarting;
}

void World::Publish(absl::Span<const policy::Slot> slots) {
  header_.stopped.clear();
  for (const policy::Slot& slot : slots) {
    if (slot.stopped_by.has_value()) header_.stopped.push_back(slot.index);
    for (const auto* worker : {&slot.incumbent, &slot.successor, &slot.leaving}) {
      if (!worker->has_value()) continue;
      Process* const process = Of((*worker)->id);
      if (process == nullptr) continue;
      process->row_state = static_cast<uint32_t>((*worker)->state);
    }
  }
}

// Between two system calls of an action that is made of several.
void World::BreakOff(absl::Time now, const policy::Action& action) {
  now_ = now;
  const auto* spawn = std::get_if<policy::Spawn>(&action);
  if (spawn == nullptr) return;
  const WorkerId id = spawn->worker;
  constexpr auto kStarting = static_cast<uint32_t>(policy::WorkerState::kStarting);
  const bool row_first = habits_.birth == BirthOrder::kRowFirst;
  const uint64_t calls = random_.Below(5);
  if (calls == 0) return;
  header_.newest_generation = id.generation;
  if (calls == 1) return;
  if (calls == 2) {  // a row, or a door that nobody keeps
    if (row_first) left_rows_.push_back({0, id.slot, id.generation, kStarting});
    return;
  }
  Process& process = MakeProcess(now, *spawn);
  ++unnoted_;
  if (row_first) process.row_state = kStarting;
  process.pid_in_row = row_first && calls == 4;
}

void World::PassWithoutCoordinator(absl::Time until) {
  coordinated_ = false;
  policy::Event unheard;
  while (NextTime() <= until) Next(&unheard);
  now_ = std::max(now_, until);
}

RunDirectory World::ReadableDirectory() {
  RunDirectory directory = header_;
  directory.rows = std::exchange(left_rows_, {});
  for (const auto& [generation, process] : alive_) {
    if (process.row_state.has_value()) {
      directory.rows.push_back(
          {process.pid_in_row ? process.pid : 0, process.assigned, generation, *process.row_state});
    }
    Keeper keeper = {process.pid, process.ready_at, std::nullopt};
    if (Answers(process)) {
      keeper.hello = {
          process.assigned, StateOf(process), {process.adopted.begin(), process.adopted.end()}};
      if (!policy::Accepts(keeper.hello->state)) keeper.hello->adopted.clear();
    }
    directory.doors[generation] = keeper;
  }
  if (habits_.rows_lie && Fault(10, 30)) LieAbout(directory);
  return directory;
}

void World::LieAbout(RunDirectory& directory) {
  ++lies_;
  const uint32_t counts[] = {0, 1, 7, policy::kWorkersMax + 1, UINT32_MAX};
  if (random_.Percent(30)) directory.workers_wanted = counts[random_.Below(5)];
  if (random_.Percent(30)) directory.newest_generation = random_.Percent(50) ? 0 : UINT32_MAX;
  if (random_.Percent(30)) directory.stopped.push_back(static_cast<uint32_t>(random_.Next()));
  for (Row& row : directory.rows) {
    if (random_.Percent(40)) LieInRow(row);
  }
}

void World::LieInRow(Row& row) {
  const uint32_t slots[] = {0, 3, policy::kWorkersMax - 1, policy::kWorkersMax, UINT32_MAX};
  switch (random_.Below(4)) {
    case 0:  // somebody else's process, nobody's, or everybody's
      row.pid = static_cast<Pid>(random_.Between(-1, kPidFirst - 1));
      return;
    case 1:
      row.slot = slots[random_.Below(5)];
      return;
    case 2:
      row.generation = random_.Percent(50) ? UINT32_MAX : static_cast<uint32_t>(random_.Below(50));
      return;
    default:
      row.state = static_cast<uint32_t>(random_.Percent(50) ? random_.Below(6) : random_.Next());
      return;
  }
}

policy::Legacy World::WhatIsFound(absl::Time now, const policy::SupervisorOptions& options,
                                  Departure departure) {
  now_ = now;
  options_ = options;
  upgrade_ = 0;
  coordinated_ = true;
  const RunDirectory directory = ReadableDirectory();
  header_read_ =
      directory.newest_generation == header_.newest_generation ? Header::kTrue : Header::kLies;
  const TakeOver chance = random_.Percent(50) ? TakeOver::kChecked : TakeOver::kByRowsAndDoors;
  TakenOver taken = ReadRunDirectory(directory, habits_.take_over.value_or(chance));
  TakeIn(taken);
  if (departure == Departure::kDied) kept_.clear();  // its own descriptors died with it
  KeepWhatIsHeld();
  policy::Legacy legacy = std::move(taken.legacy);
  // In the order of the scoreboard's rows, which is none.
  for (size_t place = legacy.workers.size(); place > 1; --place) {
    std::swap(legacy.workers[place - 1], legacy.workers[random_.Below(place)]);
  }
  legacy.listeners.assign(kept_.begin(), kept_.end());
  return legacy;
}

// From now on this is what the coordinator knows, right or wrong.
void World::TakeIn(const TakenOver& taken) {
  named_ = taken.processes;
  for (const Pid pid : taken.dismissed) {
    const auto process = std::find_if(alive_.begin(), alive_.end(),
                                      [&](const auto& one) { return one.second.pid == pid; });
    if (process == alive_.end()) continue;
    ++dismissed_;
    Bury(process->second.id);
  }
  for (const policy::Legacy::Found& found : taken.legacy.workers) {
    const auto process = alive_.find(found.worker.generation);
    if (process == alive_.end()) continue;
    process->second.id = found.worker;
    process->second.row_state = static_cast<uint32_t>(found.state);
    process->second.pid_in_row = true;
    process->second.inherited = true;
    process->second.greeted = Answers(process->second);
    process->second.untold.clear();
    process->second.end_is_known = found.state == WorkerState::kRestarting;
    // Its heart does not beat.
    if (policy::Accepts(found.state) && !process->second.ready) {
      Plan(now_ + kHangTimeout, Kind::kStuckSeen, found.worker);
    }
  }
}

// A worker that does not answer yet says later what it holds.
void World::KeepWhatIsHeld() {
  for (const auto& [generation, process] : alive_) {
    if (!Answers(process) || named_.count(generation) == 0) continue;
    if (process.bound && !process.draining) kept_.insert(process.id.slot);
    kept_.insert(process.adopted.begin(), process.adopted.end());
  }
}

Processes World::processes() const {
  Processes processes;
  processes.named = named_;
  for (const auto& [generation, process] : alive_) {
    processes.alive[process.pid] = generation;
    if (StateOf(process) != WorkerState::kServing || process.hung) {
      processes.deaf.push_back(generation);
    }
  }
  return processes;
}

}  // namespace uc::sim
