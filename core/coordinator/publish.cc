#include "core/coordinator/publish.h"

#include "core/base/clock.h"
#include "core/policy/crew.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

scoreboard::RowState ToRow(policy::WorkerState state) {
  switch (state) {
    case policy::WorkerState::kStarting:
      return scoreboard::RowState::kStarting;
    case policy::WorkerState::kProving:
      return scoreboard::RowState::kProving;
    case policy::WorkerState::kServing:
      return scoreboard::RowState::kServing;
    case policy::WorkerState::kRestarting:
      return scoreboard::RowState::kRestarting;
    case policy::WorkerState::kDraining:
      return scoreboard::RowState::kDraining;
    case policy::WorkerState::kKilled:
      return scoreboard::RowState::kKilled;
  }
  return scoreboard::RowState::kFree;
}

void PublishWorker(const std::optional<policy::Worker>& worker, const Processes& processes,
                   scoreboard::Layout& layout) {
  if (!worker.has_value()) return;
  const auto process = processes.find(worker->id.generation);
  if (process == processes.end()) return;
  scoreboard::WorkerRow& row = layout.workers[process->second.row];
  row.state_since_ns.store(absl::ToUnixNanos(worker->since), std::memory_order_relaxed);
  row.state.store(static_cast<uint32_t>(ToRow(worker->state)), std::memory_order_release);
}

scoreboard::Condition ConditionOf(const policy::Slot& slot,
                                  const policy::RestartOptions& restarts) {
  if (slot.stopped_by.has_value()) return scoreboard::Condition::kStopped;
  return slot.restarts.Errored(restarts) ? scoreboard::Condition::kErrored
                                         : scoreboard::Condition::kWell;
}

void PublishSlot(absl::Time now, const policy::Slot& slot, const policy::RestartOptions& restarts,
                 policy::Generation stand_in, scoreboard::SlotRow& row) {
  row.wanted.store(slot.wanted, std::memory_order_relaxed);
  row.live.store(slot.live, std::memory_order_relaxed);
  row.stand_in.store(stand_in, std::memory_order_relaxed);
  row.restarts.store(slot.restart_count, std::memory_order_relaxed);
  row.quick_deaths.store(slot.restarts.quick_deaths(), std::memory_order_relaxed);
  row.condition.store(static_cast<uint32_t>(ConditionOf(slot, restarts)),
                      std::memory_order_relaxed);
  if (scoreboard::GetText(row.failure, sizeof(row.failure)) != slot.failure) {
    scoreboard::SetText(row.failure, sizeof(row.failure), slot.failure);
  }
  row.failed_ns.store(slot.failure.empty() ? 0 : absl::ToUnixNanos(slot.failed_at),
                      std::memory_order_relaxed);
  const bool empty = !slot.incumbent.has_value();
  const bool waiting = (empty || policy::AwaitsProgram(slot)) && slot.spawn_at > now;
  row.next_spawn_ns.store(waiting ? absl::ToUnixNanos(slot.spawn_at) : 0,
                          std::memory_order_relaxed);
}

}  // namespace

void Publish(absl::Time now, const policy::Supervisor& supervisor,
             const policy::RestartOptions& restarts, const Processes& processes,
             const StandIns& stand_ins, scoreboard::Layout& layout) {
  uint32_t next = 0;
  for (const policy::Slot& slot : supervisor.slots()) {
    for (; next < slot.index; ++next) layout.slots[next].wanted.store(0, std::memory_order_relaxed);
    const auto stand_in = stand_ins.find(slot.index);
    PublishSlot(now, slot, restarts, stand_in != stand_ins.end() ? stand_in->second : 0,
                layout.slots[slot.index]);
    PublishWorker(slot.incumbent, processes, layout);
    PublishWorker(slot.successor, processes, layout);
    PublishWorker(slot.leaving, processes, layout);
    next = slot.index + 1;
  }
  for (; next < scoreboard::kSlotsMax && layout.slots[next].wanted.load() != 0; ++next) {
    layout.slots[next].wanted.store(0, std::memory_order_relaxed);
  }
  scoreboard::Header& header = layout.header;
  header.workers_wanted.store(supervisor.workers_wanted(), std::memory_order_relaxed);
  header.rolling.store(supervisor.rolling(), std::memory_order_relaxed);
  header.stopping.store(supervisor.stopping(), std::memory_order_relaxed);
}

std::optional<uint32_t> FreeRow(const scoreboard::Layout& layout) {
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    if (layout.workers[row].state.load(std::memory_order_relaxed) ==
        static_cast<uint32_t>(scoreboard::RowState::kFree)) {
      return row;
    }
  }
  return std::nullopt;
}

void OccupyRow(policy::WorkerId id, uint32_t index, scoreboard::Layout& layout) {
  scoreboard::WorkerRow& row = layout.workers[index];
  row.slot.store(id.slot, std::memory_order_relaxed);
  row.generation.store(id.generation, std::memory_order_relaxed);
  row.pid.store(0, std::memory_order_relaxed);
  row.process_start.store(0, std::memory_order_relaxed);
  layout.reports.rows[index].heartbeat_ns.store(0, std::memory_order_relaxed);
  row.started_ns.store(MonotonicNanos(), std::memory_order_relaxed);
  row.state_since_ns.store(MonotonicNanos(), std::memory_order_relaxed);
  row.state.store(static_cast<uint32_t>(scoreboard::RowState::kStarting),
                  std::memory_order_release);
}

void EnterProcess(pid_t pid, scoreboard::WorkerRow& row) {
  row.process_start.store(scoreboard::ProcessStart(pid), std::memory_order_relaxed);
  row.pid.store(pid, std::memory_order_release);
}

}  // namespace uc::coordinator
