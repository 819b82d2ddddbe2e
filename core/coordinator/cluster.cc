#include "core/coordinator/cluster.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/start_pages.h"
#include "core/coordinator/birth.h"
#include "core/coordinator/descriptor_bound.h"
#include "core/coordinator/program_group.h"
#include "core/coordinator/service_notice.h"
#include "core/coordinator/spawner.h"
#include "core/coordinator/start_report.h"
#include "core/policy/crew.h"
#include "core/policy/rebalance.h"

namespace uc::coordinator {
namespace {

constexpr size_t kHeirsMax = 32;                          // of one worker that leaves
constexpr absl::Duration kQuietAfter = absl::Seconds(1);  // without an event

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

policy::LateHello::Phase LatePhase(link::Phase phase) {
  switch (phase) {
    case link::Phase::kReady:
      return policy::LateHello::Phase::kProving;
    case link::Phase::kServing:
      return policy::LateHello::Phase::kServing;
    case link::Phase::kRestarting:
      return policy::LateHello::Phase::kRestarting;
    case link::Phase::kDraining:
      return policy::LateHello::Phase::kDraining;
  }
  return policy::LateHello::Phase::kServing;
}

link::DrainKind ToLink(policy::DrainKind kind) {
  switch (kind) {
    case policy::DrainKind::kHandOver:
      return link::DrainKind::kHandOver;
    case policy::DrainKind::kPrompt:
      return link::DrainKind::kPrompt;
  }
  return link::DrainKind::kPrompt;
}

}  // namespace

Cluster::Cluster(const CoordinatorOptions& options, std::vector<net::Address> addresses, Mode mode,
                 scoreboard::Scoreboard board, ProcessWatch watch, Claims claims)
    : options_(options),
      addresses_(std::move(addresses)),
      board_(std::move(board)),
      supervisor_(options.supervisor),
      watch_(std::move(watch)),
      output_(
          options.binary, options.scribe_arguments, options.directory,
          options.stdout_captured ? WorkerOutput::Streams::kBoth : WorkerOutput::Streams::kErrors),
      log_(options.log_file, options.log_limits),
      claims_(std::move(claims)),
      listeners_(addresses_.size(),
                 options.program() ? ListenerKeep::Kind::kGrowing : ListenerKeep::Kind::kFixed),
      spread_(std::move(mode), options.cpu_affinity ? Spread::Cores::kPinned : Spread::Cores::kAny,
              listeners_),
      rings_(
          options.launches() ? RingAllotment::Workers::kProgram : RingAllotment::Workers::kNative,
          options.supervisor.roll_width),
      health_watch_(options.health, options.launches() ? HealthWatch::Workers::kProgram
                                                       : HealthWatch::Workers::kNative),
      recycle_watch_(options.recycle) {
  recycle_watch_.Begin(MonotonicNow());
}

void Cluster::Start(absl::Time now) {
  output_.Begin(now);
  for (const policy::Action& action : supervisor_.Start(now)) CarryOut(action);
  Handle(now, policy::Woke{});
}

void Cluster::Resume(absl::Time now, std::vector<FormerWorker> workers,
                     std::map<policy::SlotIndex, std::vector<Fd>> listeners, Reply upgraded) {
  output_.Begin(now);
  policy::Legacy legacy = LegacyOf(board_.layout(), workers, options_.supervisor.workers);
  for (auto& [slot, sockets] : listeners) listeners_.Keep(slot, std::move(sockets));
  for (FormerWorker& former : workers) {
    if (!former.listeners.empty()) {
      listeners_.Keep(former.found.worker.slot, std::move(former.listeners));
    }
    for (auto& [slot, sockets] : former.held) listeners_.Keep(slot, std::move(sockets));
    WorkerProcess process;
    process.id = former.found.worker;
    process.pid = former.process.pid;
    process.pidfd = std::move(former.process.pidfd);
    process.channel = std::move(former.process.channel);
    process.inbox = std::move(former.inbox);
    process.row = former.process.row.value();
    if (former.reports.valid()) {
      mirror_.Follow(process.id, process.row, std::move(former.reports), board_);
    }
    AddProcess(std::move(process));
  }
  for (const auto& [slot, sockets] : listeners_.all()) legacy.listeners.push_back(slot);
  LogInfo(absl::StrCat("goes on with ", workers.size(), " workers of the coordinator before it"));
  for (const policy::Action& action : supervisor_.Resume(now, legacy)) CarryOut(action);
  Handle(now, policy::Woke{});
  upgraded.End(policy::Outcome::kDone,
               absl::StrCat("the coordinator (pid ", getpid(), ") runs ", options_.binary,
                            " anew; ", workers.size(), " workers went on"));
}

void Cluster::Handle(absl::Time now, policy::Event event) {
  if (!std::holds_alternative<policy::Woke>(event)) quiet_since_ = now;
  events_.push_back(std::move(event));
  const bool stopping = supervisor_.stopping();
  while (!events_.empty() && !finish_.has_value()) {
    const policy::Event next = std::move(events_.front());
    events_.pop_front();
    const policy::Actions actions = supervisor_.Step(now, next);
    // Before anything is done about it: who goes on after us must not undo a scale that was answered.
    board_.layout().header.workers_wanted.store(supervisor_.workers_wanted(),
                                                std::memory_order_relaxed);
    for (const policy::Action& action : actions) CarryOut(action);
  }
  if (!stopping && supervisor_.stopping()) NotifyService("STOPPING=1");
  Publish(now, supervisor_, options_.supervisor.restarts, processes_, stand_ins_, board_.layout());
  AnnounceStart();
}

void Cluster::Give(absl::Time now, const policy::Command& command, Reply reply) {
  const policy::CommandId id = asked_.Add(command, std::move(reply));
  std::vector<policy::WorkersBound> bounds;
  if (std::holds_alternative<policy::Scale>(command)) bounds = Bounds();
  Handle(now, policy::CommandGiven{id, command, std::move(bounds)});
}

std::vector<policy::WorkersBound> Cluster::Bounds() {
  std::vector<policy::WorkersBound> bounds = {DescriptorBound(options_, AllAddresses().size())};
  if (const auto bound = rings_.Bound(supervisor_.slots(), processes_)) bounds.push_back(*bound);
  return bounds;
}

// --- What workers say and do ---

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
    Hear(now, process, std::move(**received));
  }
}

void Cluster::Hear(absl::Time now, WorkerProcess& process, link::Received packet) {
  if (std::holds_alternative<link::Bound>(packet.message)) {
    KeepListeners(now, process, process.id.slot, std::move(packet.descriptors));
  } else if (const auto* claim = std::get_if<link::Claim>(&packet.message)) {
    AnswerClaim(process, *claim);
  } else if (const auto* ready = std::get_if<link::Ready>(&packet.message)) {
    process.http = ready->http;
    Handle(now, policy::WorkerReady{process.id});
  } else if (const auto* refused = std::get_if<link::Refused>(&packet.message)) {
    const policy::Fault fault =
        refused->operator_fault ? policy::Fault::kOperator : policy::Fault::kWorld;
    Handle(now, policy::WorkerRefused{process.id, fault, refused->reason});
  } else if (const auto* ended = std::get_if<link::ProgramEnded>(&packet.message)) {
    const auto code = ended->exit_code < 0 ? std::nullopt : std::optional<int>(ended->exit_code);
    Handle(now, policy::ProgramEnded{process.id, ended->clean, ended->reason, code});
  } else if (const auto* hello = std::get_if<link::Hello>(&packet.message)) {
    // It was stopped or starved when we knocked.
    std::vector<Fd>& descriptors = packet.descriptors;
    if (descriptors.size() < link::kHelloDescriptors + hello->steering ||
        hello->slot != process.id.slot || hello->generation != process.id.generation) {
      return;
    }
    process.inbox = std::move(descriptors[0]);
    mirror_.Follow(process.id, process.row, std::move(descriptors[1]), board_);
    const size_t before = link::kHelloDescriptors + hello->steering;
    descriptors.erase(descriptors.begin(), descriptors.begin() + static_cast<ptrdiff_t>(before));
    if (!descriptors.empty()) KeepListeners(now, process, process.id.slot, std::move(descriptors));
    Handle(now, policy::LateHello{process.id, LatePhase(hello->phase)});
  } else if (const auto* holds = std::get_if<link::Holds>(&packet.message)) {
    KeepListeners(now, process, holds->slot, std::move(packet.descriptors));
    Handle(now, policy::LateHolds{process.id, holds->slot});
  } else if (!std::holds_alternative<link::HelloEnd>(packet.message)) {
    scoreboard::Add(board_.layout().header.events_ignored, 1);
  }
}

void Cluster::KeepListeners(absl::Time now, const WorkerProcess& process, policy::SlotIndex slot,
                            std::vector<Fd> listeners) {
  // Only of the slot's newest worker: an older one's sockets are those of a slot that was retired.
  const bool newest = std::none_of(processes_.begin(), processes_.end(), [&](const auto& other) {
    return other.second.id.slot == process.id.slot && other.first > process.id.generation;
  });
  if (slot >= policy::kWorkersMax || !newest || !listeners_.Keep(slot, std::move(listeners))) {
    scoreboard::Add(board_.layout().header.events_ignored, 1);
    return;
  }
  spread_.Begin(slot);
  Handle(now, policy::ListenersKept{slot});
}

void Cluster::AnswerClaim(const WorkerProcess& process, const link::Claim& claim) {
  if (!options_.program()) {
    scoreboard::Add(board_.layout().header.events_ignored, 1);
    return;
  }
  const size_t before = claims_.addresses().size();
  const auto beside = options_.fronts() ? Claims::BesideHeld::kYes : Claims::BesideHeld::kNo;
  link::Claimed answer = claims_.Answer(claim, MonotonicNow(), beside);
  const size_t after = claims_.addresses().size();
  if (after > before) {
    LogInfo(absl::StrCat(answer.address, " is taken for the program, whose slot ", process.id.slot,
                         " has asked for it (", after, " of at most ", link::kAddressesMax, ")"));
  }
  if (answer.error == 0) PublishAddresses();
  if (!options_.fronts() || answer.error != 0) return Tell(process.id, answer);
  // Here, for all sockets of one address must be of one user, and the worker may have become another.
  net::ListenOptions listen = options_.listen;
  listen.dual_stack = claim.dual_stack;
  const absl::StatusOr<net::Address> address = net::Address::Parse(answer.address);
  const absl::StatusOr<Fd> listener =
      address.ok() ? net::Bind(*address, listen) : absl::StatusOr<Fd>(address.status());
  if (listener.ok()) return Tell(process.id, answer, {listener->get()});
  answer.error = EADDRINUSE;
  answer.address = std::string(listener.status().message());
  Tell(process.id, answer);
}

std::vector<net::Address> Cluster::AddressesInUse() const {
  std::vector<net::Address> all;
  for (const auto& [slot, sockets] : listeners_.all()) {
    for (const Fd& socket : sockets) {
      const absl::StatusOr<net::Address> address = net::LocalAddress(socket);
      if (address.ok() && std::count(all.begin(), all.end(), *address) == 0) {
        all.push_back(*address);
      }
    }
  }
  return all;
}

void Cluster::TendClaims(absl::Time now) {
  for (const net::Address& address : AddressesInUse()) claims_.Listened(address);
  const std::vector<net::Address> given_back = claims_.GiveBack(now);
  for (const net::Address& address : given_back) {
    LogInfo(absl::StrCat(address.ToString(), " is given back: the program does not listen there"));
  }
  if (!given_back.empty()) PublishAddresses();
}

std::vector<net::Address> Cluster::AllAddresses() const {
  std::vector<net::Address> all = addresses_;
  for (const net::Address& claimed : claims_.addresses()) all.push_back(claimed);
  return all;
}

void Cluster::PublishAddresses() {
  scoreboard::Header& header = board_.layout().header;
  scoreboard::SetText(header.claims, sizeof(header.claims), claims_.ToText());
  scoreboard::SetText(
      header.addresses, sizeof(header.addresses),
      absl::StrJoin(AllAddresses(), " ", [](std::string* out, const net::Address& address) {
        out->append(address.ToString());
      }));
  mirror_.Keep(board_);
}

void Cluster::KillProgram(const WorkerProcess& process) {
  if (options_.program()) EndProgramOf(board_.layout(), process.row);
}

void Cluster::OnExit(absl::Time now, policy::Generation generation) {
  const auto found = processes_.find(generation);
  if (found == processes_.end()) return;
  const absl::StatusOr<ExitReport> report = Reap(found->second.pidfd);
  if (!report.ok()) return;
  RefreshBoard(now);
  KillProgram(found->second);
  OnLinkReadable(now, generation);  // its last words come before its death
  const policy::WorkerId id = found->second.id;
  scoreboard::Layout& layout = board_.layout();
  const bool alone = std::none_of(processes_.begin(), processes_.end(), [&](const auto& other) {
    return other.second.id.slot == id.slot && other.first != generation;
  });
  if (alone) {
    spread_.ForgetAll(id.slot);
  } else {
    spread_.Forget(id.slot,
                   scoreboard::OpenConnections(layout.reports.rows[found->second.row].counters));
  }
  scoreboard::FoldAndFree(layout, found->second.row);
  unlink(DoorPath(options_.directory, generation).c_str());
  probes_.erase(generation);
  processes_.erase(found);
  Handle(now, policy::WorkerExited{id, report->clean, report->reason, report->exit_code});
}

void Cluster::OnProbeReadable(absl::Time now, policy::Generation generation) {
  const auto found = probes_.find(generation);
  if (found == probes_.end()) return;
  const std::optional<SelfProbe::Answer> answer = found->second.OnReadable();
  if (!answer.has_value()) return;
  probes_.erase(found);
  const auto process = processes_.find(generation);
  if (process == processes_.end()) return;
  Handle(now, policy::ProbeAnswered{process->second.id, answer->passed, answer->reason});
}

void Cluster::RefreshBoard(absl::Time now) {
  const auto slots = supervisor_.slots();
  const policy::SlotIndex end = slots.empty() ? 0 : slots.back().index + 1;
  if (!mirror_.Refresh(processes_, end, board_)) return;
  Publish(now, supervisor_, options_.supervisor.restarts, processes_, stand_ins_, board_.layout());
}

void Cluster::ObserveHealth(absl::Time now) {
  RefreshBoard(now);
  for (const policy::HealthObserved& event :
       health_watch_.Look(now, processes_, board_.layout(), listeners_, spread_.counting())) {
    Handle(now, event);
  }
}

void Cluster::Tidy(absl::Time now) {
  if (now - quiet_since_ < kQuietAfter) return;
  quiet_since_ = absl::InfiniteFuture();
  ReleaseStartPages();
}

void Cluster::ObserveRecycling(absl::Time now) {
  for (policy::RecycleDue& due :
       recycle_watch_.Look(now, supervisor_.slots(), processes_, board_.layout())) {
    Handle(now, std::move(due));
  }
}

// --- Actions ---

void Cluster::CarryOut(const policy::Action& action) {
  std::visit([this](const auto& one) { CarryOut(one); }, action);
}

void Cluster::CarryOut(const policy::Spawn& spawn) {
  // Noise in the rows must not leave it without one, or give it one that somebody has.
  RefreshBoard(MonotonicNow());
  const uint32_t entries =
      rings_.EntriesFor(supervisor_.workers_wanted(), supervisor_.slots(), processes_);
  // Of a program that says itself where it listens: what it will probably say.
  const bool own = options_.fronts() && addresses_.empty();
  const Birth birth = {.id = spawn.worker,
                       .entry = spawn.entry,
                       .ring_entries = entries,
                       .addresses = own ? AddressesInUse() : addresses_,
                       .steering = spread_.descriptors(),
                       .listeners = listeners_.DescriptorsOf(spawn.worker.slot)};
  absl::Status door;
  absl::StatusOr<WorkerProcess> process = GiveBirth(options_, birth, board_, output_, &door);
  if (process.ok()) {
    process->ring_entries = entries;
    TellOfDoor(door);
    AddProcess(*std::move(process));
    return;
  }
  const absl::Status& status = process.status();
  const policy::Fault fault =
      absl::IsFailedPrecondition(status) ? policy::Fault::kOperator : policy::Fault::kWorld;
  events_.push_back(policy::SpawnFailed{spawn.worker, fault, std::string(status.message())});
}

// Once, until there is one again.
void Cluster::TellOfDoor(const absl::Status& door) {
  if (!door.ok() && !doorless_) {
    LogWarning(absl::StrCat(door.message(),
                            "; workers are born without a door: a coordinator that ",
                            "comes after this one could not go on with them, and would end them"));
  }
  doorless_ = !door.ok();
}

// Not watched: SIGCHLD tells of its end, and what it does not say in time is a deadline missed.
void Cluster::AddProcess(WorkerProcess process) {
  const absl::Status status = watch_.Add(process);
  if (!status.ok()) LogError(absl::StrCat(ToText(process.id), ": ", status.message()));
  processes_.emplace(process.id.generation, std::move(process));
}

void Cluster::Tell(policy::WorkerId id, const link::Message& message,
                   absl::Span<const int> descriptors) {
  WorkerProcess* process = Find(id);
  if (process == nullptr || !process->channel.has_value()) return;
  const absl::Status status = process->channel->Send(message, descriptors);
  if (!status.ok()) lines_.Warn(absl::StrCat(ToText(id), ": ", status.message()));
}

void Cluster::CarryOut(const policy::Probe& probe) {
  const WorkerProcess* process = Find(probe.worker);
  if (process == nullptr) return;
  if (!process->http) {  // what would be an answer, only its app knows
    events_.push_back(policy::ProbeAnswered{probe.worker, true, ""});
    return;
  }
  const std::vector<net::Address> all = AllAddresses();
  absl::StatusOr<std::pair<SelfProbe, Fd>> begun =
      SelfProbe::Begin(options_.probe, all.empty() ? "localhost" : all[0].ToHost());
  if (!begun.ok()) {
    events_.push_back(
        policy::ProbeAnswered{probe.worker, false, std::string(begun.status().message())});
    return;
  }
  Tell(probe.worker, link::Serve{}, {begun->second.get()});
  probes_.insert_or_assign(probe.worker.generation, std::move(begun->first));
}

void Cluster::CarryOut(const policy::Admit& admit) { Tell(admit.worker, link::Admit{}); }

void Cluster::CarryOut(const policy::StartProgram& start) {
  Tell(start.worker, link::StartProgram{});
}

void Cluster::CarryOut(const policy::Drain& drain) {
  const WorkerProcess* process = Find(drain.worker);
  if (process == nullptr) return;
  lines_.Info(absl::StrCat(ToText(drain.worker), " (pid ", process->pid, ") drains"));
  const int64_t within_ms =
      std::clamp<int64_t>(absl::ToInt64Milliseconds(drain.within), 0, int64_t{UINT32_MAX});
  std::vector<int> inboxes;
  for (const policy::WorkerId& heir : drain.heirs) {
    const WorkerProcess* const other = Find(heir);
    if (other != nullptr && other->inbox.valid() && inboxes.size() < kHeirsMax) {
      inboxes.push_back(other->inbox.get());
    }
  }
  Tell(drain.worker, link::Drain{ToLink(drain.kind), static_cast<uint32_t>(within_ms)}, inboxes);
}

void Cluster::CarryOut(const policy::Kill& kill) {
  WorkerProcess* process = Find(kill.worker);
  if (process == nullptr) return;
  lines_.Warn(absl::StrCat(ToText(kill.worker), " (pid ", process->pid,
                           ") is killed: ", Describe(kill.reason)));
  // By pidfd: the number may belong to somebody else, the descriptor cannot.
  syscall(SYS_pidfd_send_signal, process->pidfd.get(), SIGKILL, nullptr, 0);
}

void Cluster::CarryOut(const policy::SetLive& set_live) {
  const policy::SlotIndex slot = set_live.slot;
  board_.layout().slots[slot].live.store(set_live.live, std::memory_order_relaxed);
  spread_.SetLive(slot, set_live.live);
}

void Cluster::CarryOut(const policy::Adopt& adopt) {
  board_.layout().slots[adopt.slot].stand_in.store(adopt.worker.generation,
                                                   std::memory_order_relaxed);
  stand_ins_[adopt.slot] = adopt.worker.generation;
  lines_.Info(absl::StrCat(ToText(adopt.worker), " accepts for slot ", adopt.slot, " as well"));
  Tell(adopt.worker, link::Adopt{adopt.slot}, listeners_.DescriptorsOf(adopt.slot));
}

void Cluster::CarryOut(const policy::Release& release) {
  board_.layout().slots[release.slot].stand_in.store(0, std::memory_order_relaxed);
  stand_ins_.erase(release.slot);
  Tell(release.worker, link::Release{release.slot});
}

void Cluster::CarryOut(const policy::Evacuate& evacuate) {
  listeners_.Evacuate(evacuate.slot);
  spread_.End(evacuate.slot);
}

void Cluster::CarryOut(const policy::Rebalance&) {
  std::vector<policy::Load> loads;
  for (const policy::Slot& slot : supervisor_.slots()) {
    if (!slot.wanted || !policy::Healthy(slot)) continue;
    const WorkerProcess* const process = Find(slot.incumbent->id);
    if (process == nullptr || !process->inbox.valid()) continue;
    const scoreboard::Report& report = board_.layout().reports.rows[process->row];
    loads.push_back({process->id, scoreboard::OpenConnections(report.counters)});
  }
  std::map<policy::Generation, std::pair<link::Give, std::vector<int>>> gifts;
  std::map<policy::Generation, policy::WorkerId> givers;
  for (const policy::Gift& gift : policy::PlanRebalance(loads)) {
    auto& [give, inboxes] = gifts[gift.from.generation];
    givers[gift.from.generation] = gift.from;
    if (inboxes.size() == kHeirsMax) continue;
    give.connections.push_back(gift.connections);
    inboxes.push_back(Find(gift.to)->inbox.get());
  }
  for (const auto& [generation, gift] : gifts) {
    lines_.Info(absl::StrCat(ToText(givers[generation]), " gives idle connections to ",
                             gift.second.size(), gift.second.size() == 1 ? " other" : " others"));
    Tell(givers[generation], gift.first, gift.second);
  }
}

// --- Upgrade ---

void Cluster::CarryOut(const policy::Upgrade& upgrade) {
  upgrade_command_ = upgrade.command;
  const auto doorless = [this](const auto& process) {
    return !link::DoorIsKept(DoorPath(options_.directory, process.first));
  };
  if (std::any_of(processes_.begin(), processes_.end(), doorless)) {
    events_.push_back(policy::UpgradeFailed{
        upgrade.command, absl::StrCat("not all workers have a door in ", options_.directory,
                                      " (somebody has cleaned there): a program that comes after ",
                                      "this one could not go on with them; 'reload' them first")});
    return;
  }
  // The numbers of lock and control pipe do not matter to a rehearsal.
  UpgradeState state = StateForUpgrade(board_.fd(), board_.fd());
  absl::StatusOr<Rehearsal> rehearsal =
      Rehearsal::Begin(options_.binary, options_.own_arguments, state);
  if (!rehearsal.ok()) {
    events_.push_back(
        policy::UpgradeFailed{upgrade.command, std::string(rehearsal.status().message())});
    return;
  }
  rehearsal_.emplace(*std::move(rehearsal));
  rehearsal_deadline_ = MonotonicNow() + Rehearsal::kPatience;
}

UpgradeState Cluster::StateForUpgrade(const Fd& lock, const Fd& control) const {
  UpgradeState state;
  state.lock = lock.get();
  state.control = control.get();
  state.reply = asked_.reply(upgrade_command_);
  state.steering = spread_.descriptors();
  for (const auto& [slot, sockets] : listeners_.all()) {
    state.listeners[slot] = listeners_.DescriptorsOf(slot);
  }
  return state;
}

void Cluster::OnRehearsal(absl::Time now, const Fd& lock, const Fd& control) {
  absl::Status status = rehearsal_->End();
  rehearsal_.reset();
  rehearsal_deadline_ = absl::InfiniteFuture();
  if (!supervisor_.upgrading()) return;  // a stop came between
  if (status.ok()) {
    LogInfo("the new program can go on: replacing this one");
    lines_.TellAll();
    status =
        ReplaceProgram(options_.binary, options_.own_arguments, StateForUpgrade(lock, control));
  }
  Handle(now, policy::UpgradeFailed{upgrade_command_, std::string(status.message())});
}

void Cluster::CarryOut(const policy::Report& report) {
  lines_.Say(report.level == policy::Report::Level::kInfo ? Severity::kInfo : Severity::kWarning,
             report.text);
}

WorkerProcess* Cluster::Find(policy::WorkerId id) {
  const auto found = processes_.find(id.generation);
  return found == processes_.end() ? nullptr : &found->second;
}

void Cluster::AnnounceStart() {
  if (!start_ended_.has_value()) return;
  const auto slots = supervisor_.slots();
  // A service that nobody serves is not ready, unless its workers have ended as they may.
  if (!service_told_ &&
      (start_ended_->failures.empty() || std::any_of(slots.begin(), slots.end(), policy::Serves))) {
    service_told_ = true;
    NotifyService("READY=1");
  }
  if (announced_) return;
  announced_ = true;
  StartReport report = ToReport(options_.name, *start_ended_, AllAddresses());
  const auto failed = std::find_if(slots.begin(), slots.end(), [](const policy::Slot& slot) {
    return slot.wanted && !policy::Serves(slot) && !slot.failure.empty();
  });
  if (!report.whole && failed != slots.end()) report.failed = failed->index;
  Log(report.whole ? Severity::kInfo : Severity::kWarning, report.line);
  if (options_.on_started) options_.on_started(report);
}

absl::Status Cluster::MakeAgain() {
  output_.MakeAgain();
  ReopenLogFiles();
  return mirror_.Move(options_.directory + "/scoreboard", processes_, board_);
}

void Cluster::ReopenLogFiles() {
  output_.Reopen();
  if (options_.log_file.empty()) return;
  if (const absl::Status status = log_.Open(); !status.ok()) {
    LogWarning(absl::StrCat(options_.log_file, ": cannot be opened again: ", status.message(),
                            "; the old log file goes on"));
    return;
  }
  PassStderrOn();
}

void Cluster::TendLog() {
  if (log_.Tend()) PassStderrOn();
}

void Cluster::PassStderrOn() {
  if (output_.captured()) return;
  for (auto& [generation, process] : processes_) {
    if (process.channel.has_value()) {
      process.channel->Send(link::Reopen{}, {STDERR_FILENO}).IgnoreError();
    }
  }
}

}  // namespace uc::coordinator
