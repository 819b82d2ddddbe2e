#include "core/coordinator/former_workers.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/coordinator/publish.h"
#include "core/policy/command.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

// Numbers beyond are noise: nobody spawns so many workers.
constexpr policy::Generation kGenerationMax = 1u << 31;

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
    case scoreboard::RowState::kRestarting:
      return policy::WorkerState::kRestarting;
    case scoreboard::RowState::kFree:
    case scoreboard::RowState::kStarting:
      return policy::WorkerState::kStarting;
  }
  return policy::WorkerState::kStarting;
}

// What it says of itself is newer than what the dead coordinator wrote; but of a SIGKILL it knows nothing.
void TakeHello(const link::Hello& hello, std::vector<Fd> descriptors, FormerWorker& worker) {
  if (descriptors.size() < link::kHelloDescriptors + hello.steering) return;
  worker.hello = hello;
  worker.inbox = std::move(descriptors[0]);
  worker.reports = std::move(descriptors[1]);
  const auto begin = std::make_move_iterator(descriptors.begin() + link::kHelloDescriptors);
  const auto end = std::make_move_iterator(descriptors.end());
  worker.steering.assign(begin, begin + hello.steering);
  worker.listeners.assign(begin + hello.steering, end);
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
    case link::Phase::kRestarting:
      worker.found.state = policy::WorkerState::kRestarting;
      return;
  }
}

// False: nothing more comes for now.
bool Hear(FormerWorker& worker) {
  absl::StatusOr<std::optional<link::Received>> received = worker.process.channel->Receive();
  IdentifySender(worker.process);
  if (absl::IsInvalidArgument(received.status())) return true;
  if (!received.ok()) {
    worker.process.channel.reset();
    return false;
  }
  if (!received->has_value()) return false;
  link::Received& packet = **received;
  if (const auto* hello = std::get_if<link::Hello>(&packet.message)) {
    TakeHello(*hello, std::move(packet.descriptors), worker);
  } else if (const auto* holds = std::get_if<link::Holds>(&packet.message)) {
    if (holds->slot >= scoreboard::kSlotsMax) return true;
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
      if (worker.greeted || !worker.process.channel.has_value()) continue;
      watched.push_back({worker.process.channel->fd(), POLLIN, 0});
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

FormerWorker ToFormer(Survivor survivor, const scoreboard::Layout& layout) {
  FormerWorker worker;
  if (survivor.row.has_value()) {
    const scoreboard::WorkerRow& row = layout.workers[*survivor.row];
    worker.found.worker = {row.slot.load(), survivor.generation};
    worker.found.state = StateOf(static_cast<scoreboard::RowState>(row.state.load()));
    worker.found.ready_at = MonotonicTime(row.state_since_ns.load());
  }
  worker.process = std::move(survivor);
  return worker;
}

// Its door and its row are there, and what it says is what they say.
bool Fits(const FormerWorker& worker) {
  const Survivor& process = worker.process;
  if (!process.pidfd.valid() || !process.row.has_value() || !process.door) return false;
  if (process.generation == 0 || process.generation > kGenerationMax) return false;
  return !worker.hello.has_value() || (worker.hello->slot == worker.found.worker.slot &&
                                       worker.hello->generation == worker.found.worker.generation);
}

std::string ToText(const Survivor& survivor) {
  return absl::StrCat("the worker of generation ", survivor.generation, " (pid ", survivor.pid,
                      ")");
}

// What nobody is behind any more.
void FreeDeadRows(const Greeted& greeted, scoreboard::Layout& layout,
                  std::map<policy::SlotIndex, uint32_t>& lost) {
  std::vector<bool> alive(scoreboard::kWorkerRows, false);
  for (const FormerWorker& worker : greeted.workers) alive[*worker.process.row] = true;
  for (const Survivor& stranger : greeted.strangers) {
    if (stranger.row.has_value()) alive[*stranger.row] = true;
  }
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& dead = layout.workers[row];
    if (dead.state.load() == 0 || alive[row]) continue;
    if (dead.slot.load() < scoreboard::kSlotsMax) {
      lost[dead.slot.load()] += scoreboard::OpenConnections(layout.reports.rows[row].counters);
    }
    scoreboard::FoldAndFree(layout, row);
  }
}

}  // namespace

absl::StatusOr<Greeted> GreetSurvivors(const std::string& directory, scoreboard::Layout& layout,
                                       absl::Duration patience) {
  absl::StatusOr<std::vector<Survivor>> survivors = FindSurvivors(directory, &layout);
  if (!survivors.ok()) return survivors.status();
  std::vector<FormerWorker> found;
  for (Survivor& survivor : *survivors) {
    found.push_back(ToFormer(std::move(survivor), layout));
  }
  AwaitGreetings(found, MonotonicNow() + patience);
  Greeted greeted;
  for (FormerWorker& worker : found) {
    if (Fits(worker)) {
      EnterProcess(worker.process.pid, layout.workers[*worker.process.row]);
      greeted.workers.push_back(std::move(worker));
    } else if (worker.process.pidfd.valid()) {
      greeted.strangers.push_back(std::move(worker.process));
    } else {
      // Somebody who was not a worker yet has left, or whatever a dead worker has forked keeps its door.
      if (worker.process.channel.has_value()) {
        LogWarning(absl::StrCat(DoorPath(directory, worker.process.generation),
                                ": is kept by a process that is no worker (did one fork?); it is ",
                                "left alone"));
      }
      unlink(DoorPath(directory, worker.process.generation).c_str());
    }
  }
  if (const int programs = EndPrograms(layout); programs > 0) {
    LogWarning(absl::StrCat("ended what ", programs,
                            programs == 1 ? " program has" : " programs have",
                            " started whose launcher is gone"));
  }
  FreeDeadRows(greeted, layout, greeted.lost);
  RemoveDeadDoors(directory);
  for (const FormerWorker& worker : greeted.workers) {
    if (worker.greeted) continue;
    LogWarning(absl::StrCat("worker ", worker.found.worker.slot, "/",
                            worker.found.worker.generation, " (pid ", worker.process.pid,
                            ") does not answer its new coordinator yet"));
  }
  return greeted;
}

void SetApart(Greeted& greeted, uint32_t slots_max) {
  std::vector<FormerWorker> kept;
  for (FormerWorker& worker : greeted.workers) {
    std::erase_if(worker.found.adopted, [&](uint32_t slot) { return slot >= slots_max; });
    std::erase_if(worker.held, [&](const auto& entry) { return entry.first >= slots_max; });
    if (worker.found.worker.slot < slots_max) {
      kept.push_back(std::move(worker));
    } else {
      greeted.strangers.push_back(std::move(worker.process));
    }
  }
  greeted.workers = std::move(kept);
}

void SendAway(Greeted& greeted, scoreboard::Layout& layout, absl::Duration patience) {
  if (greeted.strangers.empty()) return;
  for (const Survivor& stranger : greeted.strangers) {
    LogWarning(absl::StrCat(ToText(stranger),
                            " does not belong to what the scoreboard says: it is told to leave"));
  }
  DismissAll(absl::MakeSpan(greeted.strangers), patience);
  greeted.strangers.clear();
  std::map<policy::SlotIndex, uint32_t> lost;
  EndPrograms(layout);
  FreeDeadRows(greeted, layout, lost);
}

policy::Legacy LegacyOf(const scoreboard::Layout& layout, absl::Span<const FormerWorker> workers,
                        uint32_t workers_given) {
  policy::Legacy legacy;
  const uint32_t wanted = layout.header.workers_wanted.load();
  legacy.workers_wanted = wanted >= 1 && wanted <= policy::kWorkersMax ? wanted : workers_given;
  const policy::Generation newest = layout.header.newest_generation.load();
  legacy.newest_generation = newest <= kGenerationMax ? newest : 0;
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
    legacy.workers.back().answered = former.hello.has_value();
  }
  return legacy;
}

}  // namespace uc::coordinator
