#include "core/coordinator/birth.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "core/coordinator/former_workers.h"
#include "core/coordinator/publish.h"
#include "core/coordinator/spawner.h"
#include "core/link/channel.h"
#include "core/link/message.h"

namespace uc::coordinator {
namespace {

link::Entry ToLink(policy::Entry entry) {
  return entry == policy::Entry::kAtOnce ? link::Entry::kAtOnce : link::Entry::kOnAdmission;
}

}  // namespace

absl::StatusOr<WorkerProcess> GiveBirth(const CoordinatorOptions& options, const Birth& birth,
                                        scoreboard::Scoreboard& board, WorkerOutput& output) {
  const policy::WorkerId id = birth.id;
  scoreboard::Layout& layout = board.layout();
  layout.header.newest_generation.store(id.generation, std::memory_order_relaxed);
  const std::optional<uint32_t> row = FreeRow(layout);
  if (!row.has_value()) return absl::UnavailableError("all rows of the scoreboard are in use");
  absl::StatusOr<std::pair<link::Channel, link::Channel>> ends = link::Channel::Pair();
  if (!ends.ok()) return absl::UnavailableError(ends.status().message());
  absl::StatusOr<std::pair<link::Channel, link::Channel>> inbox = link::Channel::Pair();
  if (!inbox.ok()) return absl::UnavailableError(inbox.status().message());
  const std::string door_path = DoorPath(options.directory, id.generation);
  const absl::StatusOr<Fd> door = link::MakeDoor(door_path);
  if (!door.ok()) return absl::UnavailableError(door.status().message());
  absl::Cleanup close_door = [&door_path] {
    unlink(door_path.c_str());
  };  // of one that nobody stands behind

  link::Assign assign;
  assign.slot = id.slot;
  assign.generation = id.generation;
  assign.row = *row;
  assign.entry = ToLink(birth.entry);
  assign.ring_entries = birth.ring_entries;
  for (const net::Address& address : birth.addresses)
    assign.addresses.push_back(address.ToString());
  std::vector<int> descriptors = {board.fd().get(), inbox->first.fd(), inbox->second.fd(),
                                  door->get()};
  for (const int fd : birth.steering) descriptors.push_back(fd);
  assign.steering = static_cast<uint16_t>(descriptors.size() - link::kAssignDescriptors);
  for (const int listener : birth.listeners) descriptors.push_back(listener);
  // Into the pair's buffer, before its reader exists: no hand-shake, nothing to wait for.
  if (absl::Status status = ends->first.Send(assign, descriptors); !status.ok()) return status;

  layout.workers[*row].heartbeat_ns.store(0, std::memory_order_relaxed);
  const OutputStreams streams = output.Open(id);
  absl::StatusOr<Spawned> spawned =
      SpawnWorker(options.binary, options.worker_arguments, ends->second.fd(),
                  {streams.out.get(), streams.err.get()});
  if (!spawned.ok()) return spawned.status();
  std::move(close_door).Cancel();
  OccupyRow(id, spawned->pid, layout.workers[*row]);
  WorkerProcess process;
  process.id = id;
  process.pid = spawned->pid;
  process.pidfd = std::move(spawned->pidfd);
  process.channel.emplace(std::move(ends->first));
  process.inbox = inbox->second.Replace(Fd());
  process.row = *row;
  return process;
}

}  // namespace uc::coordinator
