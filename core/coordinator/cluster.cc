#include "core/coordinator/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/coordinator/service_notice.h"
#include "core/coordinator/spawner.h"

namespace uc::coordinator {
namespace {

std::string ToText(policy::WorkerId id) {
  return absl::StrCat("worker ", id.slot, "/", id.generation);
}

absl::string_view Describe(policy::KillReason reason) {
  switch (reason) {
    case policy::KillReason::kStuck:
      return "its heartbeat has stopped and it is not starved of CPU";
    case policy::KillReason::kLateReady:
      return "it was not ready within --listen-timeout";
    case policy::KillReason::kLateExit:
      return "it had not finished within --kill-timeout";
    case policy::KillReason::kAborted:
      return "it is not needed any more";
    case policy::KillReason::kStopNow:
      return "stop at once";
  }
  return "?";
}

link::DrainKind ToLink(policy::DrainKind kind) {
  switch (kind) {
    case policy::DrainKind::kHandOver:
      return link::DrainKind::kHandOver;
    case policy::DrainKind::kRetire:
      return link::DrainKind::kRetire;
    case policy::DrainKind::kPrompt:
      return link::DrainKind::kPrompt;
  }
  return link::DrainKind::kPrompt;
}

scoreboard::RowState ToRow(policy::WorkerState state) {
  switch (state) {
    case policy::WorkerState::kStarting:
      return scoreboard::RowState::kStarting;
    case policy::WorkerState::kServing:
      return scoreboard::RowState::kServing;
    case policy::WorkerState::kDraining:
      return scoreboard::RowState::kDraining;
    case policy::WorkerState::kKilled:
      return scoreboard::RowState::kKilled;
  }
  return scoreboard::RowState::kFree;
}

int SocketOption(const Fd& fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  return getsockopt(fd.get(), SOL_SOCKET, option, &value, &size) == 0 ? value : 0;
}

bool IsSocket(const Fd& fd) { return SocketOption(fd, SO_TYPE) == SOCK_STREAM; }
bool IsListening(const Fd& fd) { return SocketOption(fd, SO_ACCEPTCONN) != 0; }

}  // namespace

Cluster::Cluster(const CoordinatorOptions& options, std::vector<net::Address> addresses,
                 scoreboard::Scoreboard board)
    : options_(options),
      addresses_(std::move(addresses)),
      board_(std::move(board)),
      supervisor_(options.supervisor) {}

void Cluster::Start(absl::Time now) {
  for (const policy::Action& action : supervisor_.Start(now)) CarryOut(action);
  Handle(now, policy::Woke{});
}

void Cluster::Handle(absl::Time now, policy::Event event) {
  events_.push_back(std::move(event));
  const bool stopping = supervisor_.stopping();
  while (!events_.empty() && !finish_.has_value()) {
    const policy::Event next = std::move(events_.front());
    events_.pop_front();
    for (const policy::Action& action : supervisor_.Step(now, next)) CarryOut(action);
  }
  if (!stopping && supervisor_.stopping()) NotifyService("STOPPING=1");
  AdoptHeldListeners();
  Publish(now);
  AnnounceWhenReady();
}

void Cluster::Give(absl::Time now, const policy::Command& command, Reply reply) {
  const policy::CommandId id = ++last_command_;
  asked_[id] = Asked{policy::ToString(command), std::move(reply)};
  Handle(now, policy::CommandGiven{id, command});
}

void Cluster::OnLinkReadable(absl::Time now, policy::Generation generation) {
  const auto found = processes_.find(generation);
  if (found == processes_.end()) return;
  WorkerProcess& process = found->second;
  while (process.channel.has_value()) {
    absl::StatusOr<std::optional<link::Received>> received = process.channel->Receive();
    if (absl::IsInvalidArgument(received.status())) {
      scoreboard::Add(board_.layout().header.events_ignored, 1);
      continue;
    }
    if (!received.ok()) {
      process.channel.reset();  // it has ended, or is about to: the pidfd will say
      return;
    }
    if (!received->has_value()) return;
    link::Received& packet = **received;
    if (std::holds_alternative<link::Bound>(packet.message)) {
      KeepListeners(process, std::move(packet.descriptors));
    } else if (std::holds_alternative<link::Ready>(packet.message)) {
      Handle(now, policy::WorkerReady{process.id});
    } else if (const auto* refused = std::get_if<link::Refused>(&packet.message)) {
      const policy::Fault fault =
          refused->operator_fault ? policy::Fault::kOperator : policy::Fault::kWorld;
      Handle(now, policy::WorkerRefused{process.id, fault, refused->reason});
    } else {
      scoreboard::Add(board_.layout().header.events_ignored, 1);
    }
  }
}

void Cluster::OnExit(absl::Time now, policy::Generation generation) {
  const auto found = processes_.find(generation);
  if (found == processes_.end()) return;
  const absl::StatusOr<ExitReport> report = Reap(found->second.pidfd);
  if (!report.ok()) return;
  OnLinkReadable(now, generation);  // its last words come before its death
  const policy::WorkerId id = found->second.id;
  scoreboard::FoldAndFree(board_.layout(), found->second.row);
  processes_.erase(found);
  Handle(now, policy::WorkerExited{id, report->clean, report->reason});
}

void Cluster::ObserveHealth(absl::Time now) {
  std::vector<policy::HealthObserved> observed;
  for (auto& [generation, process] : processes_) {
    const policy::Health health =
        policy::Judge(process.health.Observe(now, process.pid, board_.layout().workers[process.row],
                                             options_.hang_timeout),
                      options_.hang_timeout);
    if (health != policy::Health::kWell) observed.push_back({process.id, health});
  }
  for (const policy::HealthObserved& event : observed) Handle(now, event);
}

void Cluster::CarryOut(const policy::Action& action) {
  std::visit([this](const auto& one) { CarryOut(one); }, action);
}

void Cluster::CarryOut(const policy::Spawn& spawn) {
  const absl::Status status = StartProcess(spawn.worker);
  if (status.ok()) return;
  const policy::Fault fault =
      absl::IsFailedPrecondition(status) ? policy::Fault::kOperator : policy::Fault::kWorld;
  events_.push_back(policy::SpawnFailed{spawn.worker, fault, std::string(status.message())});
}

absl::Status Cluster::StartProcess(policy::WorkerId id) {
  const std::optional<uint32_t> row = FreeRow();
  if (!row.has_value()) return absl::UnavailableError("all rows of the scoreboard are in use");
  absl::StatusOr<std::pair<link::Channel, link::Channel>> ends = link::Channel::Pair();
  if (!ends.ok()) return absl::UnavailableError(ends.status().message());

  link::Assign assign{.slot = id.slot, .generation = id.generation, .row = *row, .addresses = {}};
  for (const net::Address& address : addresses_) assign.addresses.push_back(address.ToString());
  std::vector<int> descriptors = {board_.fd().get()};
  for (const Fd& listener : listeners_[id.slot]) descriptors.push_back(listener.get());
  held_.erase(id.slot);  // the slot is back, and its own worker serves it
  // Into the pair's buffer, before its reader exists: no hand-shake, nothing to wait for.
  if (absl::Status status = ends->first.Send(assign, descriptors); !status.ok()) return status;

  scoreboard::WorkerRow& board_row = board_.layout().workers[*row];
  board_row.slot.store(id.slot, std::memory_order_relaxed);
  board_row.generation.store(id.generation, std::memory_order_relaxed);
  board_row.heartbeat_ns.store(0, std::memory_order_relaxed);

  absl::StatusOr<Spawned> spawned =
      SpawnWorker(options_.binary, options_.worker_arguments, ends->second.fd());
  if (!spawned.ok()) return spawned.status();
  board_row.pid.store(spawned->pid, std::memory_order_relaxed);
  board_row.started_ns.store(MonotonicNanos(), std::memory_order_relaxed);
  board_row.state_since_ns.store(MonotonicNanos(), std::memory_order_relaxed);
  board_row.state.store(static_cast<uint32_t>(scoreboard::RowState::kStarting),
                        std::memory_order_release);

  WorkerProcess process;
  process.id = id;
  process.pid = spawned->pid;
  process.pidfd = std::move(spawned->pidfd);
  process.channel.emplace(std::move(ends->first));
  process.row = *row;
  processes_.emplace(id.generation, std::move(process));
  return absl::OkStatus();
}

void Cluster::CarryOut(const policy::Drain& drain) {
  WorkerProcess* process = Find(drain.worker);
  if (process == nullptr) return;
  LogInfo(absl::StrCat(ToText(drain.worker), " (pid ", process->pid, ") drains"));
  const int64_t within_ms =
      std::clamp<int64_t>(absl::ToInt64Milliseconds(drain.within), 0, int64_t{UINT32_MAX});
  // The sockets of a retired slot are held and adopted: for its worker it is a hand-over.
  const policy::DrainKind kind =
      held_.count(drain.worker.slot) > 0 && drain.kind == policy::DrainKind::kRetire
          ? policy::DrainKind::kHandOver
          : drain.kind;
  const link::Drain message{ToLink(kind), static_cast<uint32_t>(within_ms)};
  // A worker that does not take it has its kill_timeout like any other.
  if (process->channel.has_value()) process->channel->Send(message).IgnoreError();
}

void Cluster::CarryOut(const policy::Kill& kill) {
  WorkerProcess* process = Find(kill.worker);
  if (process == nullptr) return;
  LogWarning(absl::StrCat(ToText(kill.worker), " (pid ", process->pid,
                          ") is killed: ", Describe(kill.reason)));
  // By pidfd: the number may belong to somebody else, the descriptor cannot.
  syscall(SYS_pidfd_send_signal, process->pidfd.get(), SIGKILL, nullptr, 0);
}

void Cluster::CarryOut(const policy::SetLive& set_live) {
  // Without steering a slot's listener is what makes it live; the scoreboard tells.
  board_.layout().slots[set_live.slot].live.store(set_live.live, std::memory_order_relaxed);
}

void Cluster::CarryOut(const policy::CloseSlot& close_slot) {
  if (listeners_.count(close_slot.slot) > 0) held_.emplace(close_slot.slot, 0);
}

// Hold and adopt (DESIGN.md 5, mode plain): the first serving worker takes over what nobody serves. Level-
// triggered: when it drains or dies, the next look finds another one.
void Cluster::AdoptHeldListeners() {
  if (held_.empty() || supervisor_.stopping()) return;
  std::optional<policy::WorkerId> heir;
  std::vector<policy::Generation> serving;
  for (const policy::Slot& slot : supervisor_.slots()) {
    if (!slot.incumbent.has_value() || slot.incumbent->state != policy::WorkerState::kServing)
      continue;
    serving.push_back(slot.incumbent->id.generation);
    if (!heir.has_value() && slot.wanted) heir = slot.incumbent->id;
  }
  if (!heir.has_value()) return;
  for (auto& [slot, adopter] : held_) {
    if (std::count(serving.begin(), serving.end(), adopter) > 0) continue;
    std::vector<int> descriptors;
    for (const Fd& listener : listeners_[slot]) descriptors.push_back(listener.get());
    WorkerProcess* process = Find(*heir);
    if (process == nullptr || !process->channel.has_value()) return;
    if (process->channel->Send(link::Adopt{}, descriptors).ok()) adopter = heir->generation;
  }
}

void Cluster::CarryOut(const policy::Progress& progress) {
  const auto found = asked_.find(progress.command);
  if (found == asked_.end()) return;
  LogInfo(absl::StrCat(found->second.text, ": ", progress.text));
  found->second.reply.Progress(progress.text);
}

void Cluster::CarryOut(const policy::Acknowledge& acknowledge) {
  const auto found = asked_.find(acknowledge.command);
  if (found == asked_.end()) return;
  Log(acknowledge.outcome == policy::Outcome::kDone ? Severity::kInfo : Severity::kWarning,
      absl::StrCat(found->second.text, " ", Name(acknowledge.outcome), ": ", acknowledge.text));
  found->second.reply.End(acknowledge.outcome, acknowledge.text);
  asked_.erase(found);
}

void Cluster::CarryOut(const policy::Report& report) {
  Log(report.level == policy::Report::Level::kInfo ? Severity::kInfo : Severity::kWarning,
      report.text);
}

void Cluster::KeepListeners(const WorkerProcess& process, std::vector<Fd> listeners) {
  const policy::WorkerId id = process.id;
  // Only of the slot's newest worker: an older one's sockets are those of a slot that was closed.
  const bool newest = std::none_of(processes_.begin(), processes_.end(), [&](const auto& other) {
    return other.second.id.slot == id.slot && other.first > id.generation;
  });
  std::vector<Fd>& kept = listeners_[id.slot];
  if (!newest || !kept.empty() || listeners.size() != addresses_.size() ||
      !std::all_of(listeners.begin(), listeners.end(), IsSocket)) {
    scoreboard::Add(board_.layout().header.events_ignored, 1);
    return;
  }
  const auto slots = supervisor_.slots();
  const bool retired = std::none_of(slots.begin(), slots.end(), [&](const policy::Slot& slot) {
    return slot.index == id.slot && !slot.closed;
  });
  // The slot went while its worker was starting: if it has got as far as listen(), somebody may wait there.
  if (retired && !std::any_of(listeners.begin(), listeners.end(), IsListening)) return;
  if (retired) held_.emplace(id.slot, 0);
  kept = std::move(listeners);
}

std::optional<uint32_t> Cluster::FreeRow() const {
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    if (board_.layout().workers[row].state.load(std::memory_order_relaxed) ==
        static_cast<uint32_t>(scoreboard::RowState::kFree)) {
      return row;
    }
  }
  return std::nullopt;
}

WorkerProcess* Cluster::Find(policy::WorkerId id) {
  const auto found = processes_.find(id.generation);
  return found == processes_.end() ? nullptr : &found->second;
}

void Cluster::Publish(absl::Time now) {
  scoreboard::Layout& layout = board_.layout();
  const auto publish_worker = [&](const std::optional<policy::Worker>& worker) {
    const WorkerProcess* process = worker.has_value() ? Find(worker->id) : nullptr;
    if (process == nullptr) return;
    scoreboard::WorkerRow& row = layout.workers[process->row];
    row.state_since_ns.store(absl::ToUnixNanos(worker->since), std::memory_order_relaxed);
    row.state.store(static_cast<uint32_t>(ToRow(worker->state)), std::memory_order_release);
  };
  uint32_t next_index = 0;
  for (const policy::Slot& slot : supervisor_.slots()) {
    for (; next_index < slot.index; ++next_index) layout.slots[next_index].wanted.store(0);
    scoreboard::SlotRow& row = layout.slots[slot.index];
    row.wanted.store(slot.wanted, std::memory_order_relaxed);
    row.restarts.store(slot.restart_count, std::memory_order_relaxed);
    row.quick_deaths.store(slot.restarts.quick_deaths(), std::memory_order_relaxed);
    const bool waiting = !slot.incumbent.has_value() && slot.spawn_at > now;
    row.next_spawn_ns.store(waiting ? absl::ToUnixNanos(slot.spawn_at) : 0,
                            std::memory_order_relaxed);
    publish_worker(slot.incumbent);
    publish_worker(slot.successor);
    publish_worker(slot.leaving);
    next_index = slot.index + 1;
  }
  for (; next_index < scoreboard::kSlotsMax && layout.slots[next_index].wanted.load() != 0;
       ++next_index) {
    layout.slots[next_index].wanted.store(0, std::memory_order_relaxed);
  }
  layout.header.workers_wanted.store(supervisor_.workers_wanted(), std::memory_order_relaxed);
  layout.header.rolling.store(supervisor_.rolling(), std::memory_order_relaxed);
  layout.header.stopping.store(supervisor_.stopping(), std::memory_order_relaxed);
}

void Cluster::AnnounceWhenReady() {
  if (announced_) return;
  const auto serving = [](const policy::Slot& slot) {
    return slot.incumbent.has_value() && slot.incumbent->state == policy::WorkerState::kServing;
  };
  const auto slots = supervisor_.slots();
  if (slots.size() != supervisor_.workers_wanted() ||
      !std::all_of(slots.begin(), slots.end(), serving)) {
    return;
  }
  announced_ = true;
  const std::string line = absl::StrCat(
      "cluster ", options_.name, " is ready: ", slots.size(),
      slots.size() == 1 ? " worker" : " workers", " on ",
      absl::StrJoin(addresses_, ", ", [](std::string* out, const net::Address& address) {
        out->append(address.ToString());
      }));
  LogInfo(line);
  NotifyService("READY=1");
  if (options_.on_ready) options_.on_ready(line);
}

void Cluster::ReopenLogFiles() {
  if (options_.log_file.empty()) return;
  const Fd file(open(options_.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) {
    LogWarning(absl::StrCat(options_.log_file, ": cannot be opened again: ", strerror(errno),
                            "; the old log file goes on"));
    return;
  }
  UC_CHECK(dup2(file.get(), STDERR_FILENO) == STDERR_FILENO);
  for (auto& [generation, process] : processes_) {
    if (process.channel.has_value())
      process.channel->Send(link::Reopen{}, {file.get()}).IgnoreError();
  }
}

}  // namespace uc::coordinator
