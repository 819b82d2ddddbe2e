#include "core/coordinator/former_workers.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

policy::WorkerState StateOf(scoreboard::RowState state) {
  switch (state) {
    case scoreboard::RowState::kServing:
      return policy::WorkerState::kServing;
    case scoreboard::RowState::kDraining:
      return policy::WorkerState::kDraining;
    case scoreboard::RowState::kKilled:
      return policy::WorkerState::kKilled;
    case scoreboard::RowState::kProving:
      return policy::WorkerState::kProving;
    case scoreboard::RowState::kFree:
    case scoreboard::RowState::kStarting:
      return policy::WorkerState::kStarting;
  }
  return policy::WorkerState::kStarting;
}

// What it says of itself is newer than what the dead coordinator wrote; but of a SIGKILL it knows nothing.
void TakeHello(const link::Hello& hello, std::vector<Fd> descriptors, FormerWorker& worker) {
  if (descriptors.size() < 1u + hello.steering) return;
  worker.inbox = std::move(descriptors[0]);
  const auto begin = std::make_move_iterator(descriptors.begin());
  const auto end = std::make_move_iterator(descriptors.end());
  worker.steering.assign(begin + 1, begin + 1 + hello.steering);
  worker.listeners.assign(begin + 1 + hello.steering, end);
  if (worker.found.state == policy::WorkerState::kKilled) return;
  switch (hello.phase) {
    case link::Phase::kReady:
      worker.found.state = policy::WorkerState::kProving;
      return;
    case link::Phase::kServing:
      worker.found.state = policy::WorkerState::kServing;
      return;
    case link::Phase::kDraining:
      worker.found.state = policy::WorkerState::kDraining;
      return;
  }
}

// False: nothing more comes for now.
bool Hear(FormerWorker& worker) {
  absl::StatusOr<std::optional<link::Received>> received = worker.channel->Receive();
  if (absl::IsInvalidArgument(received.status())) return true;
  if (!received.ok()) {
    worker.channel.reset();
    return false;
  }
  if (!received->has_value()) return false;
  link::Received& packet = **received;
  if (const auto* hello = std::get_if<link::Hello>(&packet.message)) {
    TakeHello(*hello, std::move(packet.descriptors), worker);
  } else if (const auto* holds = std::get_if<link::Holds>(&packet.message)) {
    worker.found.adopted.push_back(holds->slot);
    worker.held[holds->slot] = std::move(packet.descriptors);
  } else if (std::holds_alternative<link::HelloEnd>(packet.message)) {
    worker.greeted = true;
    return false;
  }
  return true;
}

void AwaitGreetings(std::vector<FormerWorker>& workers, absl::Time until) {
  for (;;) {
    std::vector<pollfd> watched;
    std::vector<FormerWorker*> silent;
    for (FormerWorker& worker : workers) {
      if (worker.greeted || !worker.channel.has_value()) continue;
      watched.push_back({worker.channel->fd(), POLLIN, 0});
      silent.push_back(&worker);
    }
    const int64_t left = absl::ToInt64Milliseconds(until - MonotonicNow());
    if (silent.empty() || left <= 0) return;
    if (poll(watched.data(), watched.size(), static_cast<int>(left)) <= 0) continue;
    for (size_t i = 0; i < silent.size(); ++i) {
      while (watched[i].revents != 0 && Hear(*silent[i])) {
      }
    }
  }
}

}  // namespace

std::string DoorPath(const std::string& directory, policy::Generation generation) {
  return absl::StrCat(directory, "/doors/", generation);
}

std::vector<Survivor> FindSurvivors(const std::string& directory,
                                    const scoreboard::Layout& layout) {
  std::vector<Survivor> survivors;
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout.workers[row];
    const pid_t pid = entry.pid.load(std::memory_order_relaxed);
    if (entry.state.load(std::memory_order_acquire) == 0 || pid <= 0) continue;
    // First the descriptor, then the look: as long as the door is kept the number belongs to its keeper.
    Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) continue;
    if (!link::DoorIsKept(DoorPath(directory, entry.generation.load()))) continue;
    survivors.push_back({pid, std::move(pidfd), row});
  }
  return survivors;
}

Greeted GreetSurvivors(const std::string& directory, scoreboard::Layout& layout,
                       absl::Duration patience) {
  Greeted greeted;
  std::vector<FormerWorker>& workers = greeted.workers;
  std::vector<bool> alive(scoreboard::kWorkerRows, false);
  for (Survivor& survivor : FindSurvivors(directory, layout)) {
    const scoreboard::WorkerRow& row = layout.workers[survivor.row];
    alive[survivor.row] = true;
    FormerWorker worker;
    worker.found.worker = {row.slot.load(), row.generation.load()};
    worker.found.state = StateOf(static_cast<scoreboard::RowState>(row.state.load()));
    worker.found.ready_at = MonotonicTime(row.state_since_ns.load());
    absl::StatusOr<link::Channel> channel =
        link::Channel::Knock(DoorPath(directory, worker.found.worker.generation));
    if (channel.ok()) worker.channel.emplace(*std::move(channel));
    worker.process = std::move(survivor);
    workers.push_back(std::move(worker));
  }
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& dead = layout.workers[row];
    if (dead.state.load() == 0 || alive[row]) continue;
    greeted.lost[dead.slot.load()] += scoreboard::OpenConnections(dead.counters);
    scoreboard::FoldAndFree(layout, row);
  }
  AwaitGreetings(workers, MonotonicNow() + patience);
  for (const FormerWorker& worker : workers) {
    if (worker.greeted) continue;
    LogWarning(absl::StrCat("worker ", worker.found.worker.slot, "/",
                            worker.found.worker.generation, " (pid ", worker.process.pid,
                            ") does not answer its new coordinator yet"));
  }
  return greeted;
}

policy::Legacy LegacyOf(const scoreboard::Layout& layout, absl::Span<const FormerWorker> workers) {
  policy::Legacy legacy;
  legacy.workers_wanted = std::max(1u, layout.header.workers_wanted.load());
  legacy.newest_generation = layout.header.newest_generation.load();
  for (uint32_t slot = 0; slot < scoreboard::kSlotsMax; ++slot) {
    const uint64_t restarts = layout.slots[slot].restarts.load();
    if (restarts > 0) legacy.restart_counts[slot] = restarts;
    if (layout.slots[slot].condition.load() ==
        static_cast<uint32_t>(scoreboard::Condition::kStopped)) {
      legacy.stopped.push_back(slot);
    }
    if (layout.slots[slot].live.load() != 0) legacy.live.push_back(slot);
  }
  for (const FormerWorker& former : workers) {
    legacy.newest_generation = std::max(legacy.newest_generation, former.found.worker.generation);
    legacy.workers.push_back(former.found);
  }
  return legacy;
}

}  // namespace uc::coordinator
