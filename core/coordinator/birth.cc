#include "core/coordinator/birth.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/coordinator/publish.h"
#include "core/coordinator/survivors.h"
#include "core/link/message.h"

namespace uc::coordinator {
namespace {

link::Entry ToLink(policy::Entry entry) {
  return entry == policy::Entry::kAtOnce ? link::Entry::kAtOnce : link::Entry::kOnAdmission;
}

}  // namespace

absl::StatusOr<Preparation> Preparation::Prepare(const CoordinatorOptions& options,
                                                 const Birth& birth,
                                                 scoreboard::Scoreboard& board) {
  const policy::WorkerId id = birth.id;
  scoreboard::Layout& layout = board.layout();
  layout.header.newest_generation.store(id.generation, std::memory_order_relaxed);
  const std::optional<uint32_t> row = FreeRow(layout);
  if (!row.has_value()) return absl::UnavailableError("all rows of the scoreboard are in use");
  absl::StatusOr<std::pair<link::Channel, link::Channel>> ends = link::Channel::Pair();
  if (!ends.ok()) return absl::UnavailableError(ends.status().message());
  Preparation prepared(layout, std::move(ends->first), std::move(ends->second));
  prepared.id_ = id;
  prepared.row_ = *row;
  prepared.door_path_ = DoorPath(options.directory, id.generation);
  OccupyRow(id, *row, layout);
  if (absl::Status status = prepared.Assign(birth, board); !status.ok()) return status;
  return prepared;
}

absl::Status Preparation::Assign(const Birth& birth, const scoreboard::Scoreboard& board) {
  absl::StatusOr<std::pair<link::Channel, link::Channel>> inbox = link::Channel::Pair();
  if (!inbox.ok()) return absl::UnavailableError(inbox.status().message());
  absl::StatusOr<Fd> door = link::MakeDoor(door_path_);
  door_status_ = door.status();
  if (!door.ok()) door = link::MakeHiddenDoor();
  if (!door.ok()) return absl::UnavailableError(door.status().message());

  link::Assign assign;
  assign.slot = id_.slot;
  assign.generation = id_.generation;
  assign.row = *row_;
  assign.entry = ToLink(birth.entry);
  assign.ring_entries = birth.ring_entries;
  for (const net::Address& address : birth.addresses)
    assign.addresses.push_back(address.ToString());
  // In the order of link::Assign.
  std::vector<int> descriptors = {board.reports_fd().get(), inbox->first.fd(), inbox->second.fd(),
                                  door->get()};
  for (const int fd : birth.steering) descriptors.push_back(fd);
  assign.steering = static_cast<uint16_t>(descriptors.size() - link::kAssignDescriptors);
  for (const int listener : birth.listeners) descriptors.push_back(listener);
  inbox_ = inbox->second.Replace(Fd());
  // Into the pair's buffer, before its reader exists: no hand-shake, nothing to wait for.
  return ours_.Send(assign, descriptors);
}

Preparation::Preparation(Preparation&& other) noexcept
    : layout_(other.layout_),
      ours_(std::move(other.ours_)),
      theirs_(std::move(other.theirs_)),
      id_(other.id_),
      row_(std::exchange(other.row_, std::nullopt)),
      door_path_(std::move(other.door_path_)),
      door_status_(std::move(other.door_status_)),
      inbox_(std::move(other.inbox_)) {}

Preparation::~Preparation() {
  if (!row_.has_value()) return;
  if (door_status_.ok()) unlink(door_path_.c_str());
  scoreboard::FoldAndFree(layout_, *row_);
}

WorkerProcess Preparation::Finish(Spawned spawned) && {
  const uint32_t row = *std::exchange(row_, std::nullopt);
  EnterProcess(spawned.pid, layout_.workers[row]);
  WorkerProcess process;
  process.id = id_;
  process.pid = spawned.pid;
  process.pidfd = std::move(spawned.pidfd);
  process.channel.emplace(std::move(ours_));
  process.inbox = std::move(inbox_);
  process.row = row;
  return process;
}

absl::StatusOr<WorkerProcess> GiveBirth(const CoordinatorOptions& options, const Birth& birth,
                                        scoreboard::Scoreboard& board, WorkerOutput& output,
                                        absl::Status* door_status) {
  absl::StatusOr<Preparation> prepared = Preparation::Prepare(options, birth, board);
  if (!prepared.ok()) return prepared.status();
  *door_status = prepared->door_status();
  const OutputStreams streams = output.Open(birth.id);
  absl::StatusOr<Spawned> spawned =
      SpawnWorker(options.binary, options.worker_arguments, prepared->link_fd(),
                  {streams.out.get(), streams.err.get()}, options.worker_environment);
  if (!spawned.ok()) return spawned.status();
  return std::move(*prepared).Finish(*std::move(spawned));
}

}  // namespace uc::coordinator
