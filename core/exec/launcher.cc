#include "core/exec/launcher.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/core_pin.h"
#include "core/base/log.h"
#include "core/exec/assigned.h"
#include "core/exec/cluster_listeners.h"
#include "core/exec/coordinator_link.h"
#include "core/exec/environment.h"
#include "core/exec/listen_door.h"
#include "core/exec/notify_socket.h"
#include "core/exec/preload_file.h"
#include "core/exec/program_drain.h"
#include "core/exec/program_end.h"
#include "core/exec/program_watch.h"
#include "core/exec/readiness.h"
#include "core/exec/slot_listeners.h"
#include "core/exec/started_program.h"
#include "core/exec/waits_at.h"
#include "core/link/first_word.h"
#include "core/net/listener.h"
#include "core/net/slot_load.h"

namespace uc::exec {
namespace {

constexpr absl::Duration kStartLook = absl::Milliseconds(20);

class Launcher {
 public:
  Launcher(const LaunchOptions& options, link::Channel channel, Assigned assigned)
      : options_(options),
        assigned_(std::move(assigned)),
        link_(std::move(channel), std::move(assigned_.door)),
        row_(assigned_.reports.row(assigned_.assign.row)),
        readiness_(options.ready, options.listen_timeout, MonotonicNow()),
        watch_(row_, options.heartbeat_period) {}
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // Until the program has ended; its wait status. Or why it could not be started.
  absl::StatusOr<int> Run() {
    if (options_.cpu_affinity) {
      const absl::Status pinned = PinToCoreOf(assigned_.assign.slot);
      if (!pinned.ok()) LogWarning(pinned.message());
    }
    absl::Status status = TakeListeners();
    if (status.ok()) status = OpenDoors();
    if (status.ok()) status = StartProgram();
    if (!status.ok()) return status;
    while (!ended_.has_value()) Turn();
    started_->child().KillGroup();
    row_.program_pid.store(0, std::memory_order_relaxed);
    watch_.Count(door_->Total());
    if (readiness_.reached() || drain_.begun() || EndedAsItMay()) return *ended_;
    return absl::FailedPreconditionError(absl::StrCat(
        readiness_.refusal().empty()
            ? absl::StrCat("the program ", WIFEXITED(*ended_) ? "" : "was ", EndText(*ended_),
                           " before it ", readiness_.Awaited())
            : readiness_.refusal(),
        listeners_->refusal().empty() ? "" : absl::StrCat(": ", listeners_->refusal())));
  }
  bool EndedAsItMay() const {
    const std::vector<int>& codes = options_.done_codes;
    return readiness_.refusal().empty() && WIFEXITED(*ended_) &&
           std::find(codes.begin(), codes.end(), WEXITSTATUS(*ended_)) != codes.end();
  }
  // It ended by what we asked it to leave with.
  bool LeftAsAsked() const {
    return drain_.state() == ProgramDrain::State::kAsked && WIFSIGNALED(*ended_) &&
           WTERMSIG(*ended_) == options_.kill_signal;
  }
  CoordinatorLink& coordinator() { return link_; }

 private:
  absl::Status TakeListeners();
  absl::Status OpenDoors();
  absl::Status StartProgram();
  ProgramPlace Place(const std::string& library) const;

  void Turn();
  absl::Duration TimeLeft(absl::Time now) const;
  bool preload() const { return sockets_ == SocketWay::kPreload; }
  // It listens when it waits at what it has inherited.
  bool AwaitsWaiting() const {
    return !readiness_.reached() && !preload() && options_.ready == ReadyWhen::kListens;
  }
  void OnTime(absl::Time now);
  void Look(absl::Time now);
  void OnLink();
  void Obey(link::Received received);
  CoordinatorLink::Greeting Greeting() const;
  void OnSignal();
  void OnNode();
  void BecomeReady(absl::string_view how);
  void BeginDrain(link::DrainKind kind, absl::Duration within);
  void AskToLeave();

  const LaunchOptions& options_;
  Assigned assigned_;
  CoordinatorLink link_;
  scoreboard::Report& row_;

  Program program_;
  SocketWay sockets_ = SocketWay::kPreload;  // not kAuto
  std::optional<SlotListeners> listeners_;
  std::optional<ListenDoor> door_;
  std::optional<NotifySocket> notify_;
  std::optional<StartedProgram> started_;
  Fd signals_;

  Readiness readiness_;
  bool admitted_ = true;
  ProgramDrain drain_;
  int signal_count_ = 0;
  std::optional<int> ended_;

  ProgramWatch watch_;
};

absl::Status Launcher::TakeListeners() {
  absl::StatusOr<Program> program = FindProgram(options_.program);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  sockets_ = WayOf(options_, program_);
  absl::StatusOr<ClusterListeners> cluster = TakeClusterListeners(
      options_, sockets_, assigned_.assign, std::move(assigned_.listeners), link_);
  if (!cluster.ok()) return cluster.status();
  if (!assigned_.steering.empty()) {
    absl::StatusOr<net::SlotLoad> load =
        net::SlotLoad::Map(assigned_.steering[0], assigned_.assign.slot);
    if (!load.ok()) return load.status();
    watch_.Steer(*std::move(load));
  }
  listeners_.emplace(
      std::move(cluster->addresses), std::move(cluster->sockets),
      SlotListeners::Outward{
          .claim =
              [this](const link::Claim& claim) { return link_.linked() && link_.Send(claim).ok(); },
          .bound = [this](int fd) { link_.Send(link::Bound{}, {fd}).IgnoreError(); }},
      PortLeast(options_));
  return absl::OkStatus();
}

absl::Status Launcher::OpenDoors() {
  const std::string name = absl::StrCat("@uring-cluster-", getpid(), "-", assigned_.assign.slot,
                                        "-", assigned_.assign.generation, "-", MonotonicNanos());
  absl::StatusOr<ListenDoor> door = ListenDoor::Open(
      name + "-listen",
      {.may_bind = [this](AskerId id, const Wish& wish) { listeners_->MayBind(*door_, id, wish); },
       .may_listen = [this](AskerId id, const Wish& wish,
                            Fd own) { listeners_->MayListen(*door_, id, wish, std::move(own)); },
       .listening =
           [this](AskerId, const net::Address& address) {
             row_.accepting_pid.store(door_->accepting_pid(), std::memory_order_relaxed);
             if (options_.ready == ReadyWhen::kListens) {
               BecomeReady(absl::StrCat("listens on ", address.ToString()));
             }
           }});
  if (!door.ok()) return door.status();
  door_.emplace(*std::move(door));
  admitted_ = assigned_.assign.entry == link::Entry::kAtOnce;
  if (!admitted_) door_->Close();
  absl::StatusOr<NotifySocket> notify = NotifySocket::Open(UserOf(options_));
  if (!notify.ok()) return notify.status();
  notify_.emplace(*std::move(notify));
  signals_ = link::TakeSignals();
  return signals_.valid() ? absl::OkStatus() : absl::ResourceExhaustedError("no file descriptors");
}

ProgramPlace Launcher::Place(const std::string& library) const {
  ProgramPlace place;
  place.slot = assigned_.assign.slot;
  place.generation = assigned_.assign.generation;
  place.notify_socket = notify_->name();
  if (preload()) place.preload = {.library = library, .door = door_->address()};
  if (!options_.addresses.empty() && !assigned_.assign.addresses.empty()) {
    const absl::StatusOr<net::Address> first = net::Address::Parse(assigned_.assign.addresses[0]);
    if (first.ok()) place.port = first->port();
  }
  return place;
}

absl::Status Launcher::StartProgram() {
  std::string library;
  if (preload()) {
    absl::StatusOr<std::string> placed = PlacePreload();
    if (!placed.ok()) return placed.status();
    library = *std::move(placed);
  }
  std::vector<int> inherited;
  if (!preload()) {
    inherited = listeners_->descriptors();
    inherited.resize(listeners_->cluster_size());
  }
  absl::StatusOr<StartedProgram> started =
      StartedProgram::Start(options_, program_, Place(library), std::move(inherited), row_);
  if (!started.ok()) return started.status();
  started_.emplace(*std::move(started));
  const size_t listeners = listeners_->cluster_size();
  LogInfo(absl::StrCat(
      "runs ", program_.argv[0], " (pid ", started_->child().pid(), "): ",
      preload() ? "its own listen() uses this slot's listener (preload library)"
      : listeners == 0
          ? "it bypasses libc and there is no --listen: its sockets are its own"
          : absl::StrCat("it inherits ", listeners, listeners == 1 ? " listener" : " listeners",
                         " as LISTEN_FDS, from descriptor 3 on")));
  if (options_.ready == ReadyWhen::kStarted) BecomeReady("was started");
  return absl::OkStatus();
}

// --- The loop ---

void Launcher::Turn() {
  std::vector<pollfd> watched;
  const auto add = [&watched](int fd) { watched.push_back({fd, POLLIN, 0}); };
  add(started_->child().fd());
  add(signals_.get());
  add(notify_->fd());
  add(link_.door_fd());
  add(started_->node_fd());
  add(link_.fd());
  const size_t doors = watched.size();
  for (const int fd : door_->descriptors()) add(fd);
  const size_t queues = watched.size();
  const absl::Time before = MonotonicNow();
  // One connection after a pause is what wakes us; then the clock does, however many come.
  if (readiness_.reached() && !drain_.begun() && watch_.idle(before)) {
    for (const int fd : listeners_->descriptors()) add(fd);
  }
  const timespec timeout = absl::ToTimespec(TimeLeft(before));
  if (ppoll(watched.data(), watched.size(), &timeout, nullptr) < 0) {
    UC_CHECK(errno == EINTR);
    return;
  }
  const absl::Time now = MonotonicNow();
  const auto readable = [&watched](size_t i) { return watched[i].revents != 0; };
  for (size_t i = doors; i < queues; ++i) {
    if (readable(i)) door_->OnReadable(watched[i].fd);
  }
  if (readable(1)) OnSignal();
  if (readable(2) && notify_->HeardReady()) BecomeReady("says READY=1");
  if (readable(3)) link_.AnswerDoor([this] { return Greeting(); });
  if (readable(4)) OnNode();
  if (readable(5)) OnLink();
  for (size_t i = queues; i < watched.size(); ++i) {
    if (readable(i)) watch_.Stir(now);
  }
  OnTime(now);
  if (readable(0)) ended_ = started_->child().Reap();
}

absl::Duration Launcher::TimeLeft(absl::Time now) const {
  absl::Time due = std::min({watch_.due(), drain_.due(now), readiness_.due()});
  if (AwaitsWaiting()) due = std::min(due, now + kStartLook);
  return std::clamp(due - now, absl::ZeroDuration(), absl::Seconds(60));
}

void Launcher::OnTime(absl::Time now) {
  if (now >= watch_.due()) Look(now);
  if (AwaitsWaiting() && WaitsAt(started_->child().pid(), listeners_->descriptors())) {
    BecomeReady("waits at the listeners that it has inherited");
  }
  if (now >= readiness_.due()) {
    // At once: the coordinator's own patience ends soon, and it would not know why.
    link_.Send(link::Refused{true, readiness_.Refuse(sockets_)}).IgnoreError();
    started_->child().KillGroup();
  }
  if (drain_.state() != ProgramDrain::State::kWaits) return;
  if (drain_.Over(now, door_->Connections())) AskToLeave();
}

void Launcher::Look(absl::Time now) {
  ProgramWatch::Seen seen;
  seen.waiting = listeners_->Waiting();
  seen.life = door_->Total();
  seen.turns_known = preload() && door_->anybody_listens();
  seen.ready = readiness_.reached();
  watch_.Look(now, seen);
}

// --- The coordinator ---

void Launcher::OnLink() {
  while (link_.linked()) {
    absl::StatusOr<std::optional<link::Received>> received = link_.Receive();
    if (absl::IsInvalidArgument(received.status())) {
      LogError(absl::StrCat("leaves, for it does not understand its coordinator: ",
                            received.status().message()));
      BeginDrain(link::DrainKind::kPrompt, options_.kill_timeout);
      continue;
    }
    if (!received.ok()) {
      if (!drain_.begun()) LogWarning("the coordinator is gone; serving on without it");
      return;
    }
    if (!received->has_value()) return;
    Obey(std::move(**received));
  }
}

void Launcher::Obey(link::Received received) {
  std::vector<Fd>& descriptors = received.descriptors;
  if (const auto* drain = std::get_if<link::Drain>(&received.message)) {
    BeginDrain(drain->kind, absl::Milliseconds(drain->within_ms));
  } else if (const auto* claimed = std::get_if<link::Claimed>(&received.message)) {
    listeners_->Claimed(*door_, *claimed);
  } else if (const auto* adopt = std::get_if<link::Adopt>(&received.message)) {
    for (Fd& listener : descriptors) {
      const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
      if (address.ok() && !drain_.begun()) door_->Adopt(adopt->slot, *address, std::move(listener));
    }
  } else if (const auto* release = std::get_if<link::Release>(&received.message)) {
    door_->Release(release->slot);
  } else if (std::holds_alternative<link::Admit>(received.message)) {
    admitted_ = true;
    if (!drain_.begun()) door_->Admit();
  } else if (std::holds_alternative<link::Reopen>(received.message)) {
    if (!descriptors.empty()) dup2(descriptors[0].get(), STDERR_FILENO);
  }
}

CoordinatorLink::Greeting Launcher::Greeting() const {
  CoordinatorLink::Greeting greeting = {
      .hello = {}, .descriptors = {}, .adopted = door_->adopted()};
  link::Hello& hello = greeting.hello;
  hello.slot = assigned_.assign.slot;
  hello.generation = assigned_.assign.generation;
  hello.phase = drain_.begun() ? link::Phase::kDraining
                : admitted_    ? link::Phase::kServing
                               : link::Phase::kReady;
  hello.steering = static_cast<uint16_t>(assigned_.steering.size());
  greeting.descriptors = {assigned_.inbox_writing.get(), assigned_.reports.fd().get()};
  for (const Fd& fd : assigned_.steering) greeting.descriptors.push_back(fd.get());
  for (const int fd : listeners_->descriptors()) greeting.descriptors.push_back(fd);
  return greeting;
}

void Launcher::OnSignal() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (++signal_count_ > 1) {
      started_->child().KillGroup();
    } else {
      BeginDrain(link::DrainKind::kPrompt, options_.kill_timeout);
    }
  }
}

// --- The program ---

void Launcher::OnNode() {
  if (started_->HeardReady()) BecomeReady("says 'ready'");
}

void Launcher::BecomeReady(absl::string_view how) {
  if (!readiness_.Reach()) return;
  LogInfo(absl::StrCat("serves: the program ", how));
  watch_.BeginServing(MonotonicNow());
  if (absl::Status status = link_.Send(link::Ready{false}); !status.ok()) {
    LogWarning(absl::StrCat("READY does not reach the coordinator: ", status.message()));
  }
}

void Launcher::BeginDrain(link::DrainKind kind, absl::Duration within) {
  if (within == absl::ZeroDuration()) within = options_.kill_timeout;
  if (!drain_.Begin(kind, within, MonotonicNow())) return;
  door_->Close();
  if (!readiness_.reached() || !door_->anybody_listens()) return AskToLeave();
  LogInfo(
      "draining: the program gets no new connection, and is asked to leave when it has answered");
}

void Launcher::AskToLeave() {
  drain_.Asked();
  started_->AskToLeave(options_);
}

}  // namespace

int RunLauncher(const LaunchOptions& options, link::Channel channel) {
  absl::StatusOr<Assigned> assigned = AwaitAssigned(channel);
  if (!assigned.ok()) {
    LogError(absl::StrCat("worker without an assignment: ", assigned.status().message()));
    return 1;
  }
  const link::Assign& assign = assigned->assign;
  SetLogIdentity(absl::StrCat("worker ", assign.slot, "/", assign.generation));
  prctl(PR_SET_NAME, absl::StrCat("uc-launch-", assign.slot).c_str());
  Launcher launcher(options, std::move(channel), *std::move(assigned));
  const absl::StatusOr<int> ended = launcher.Run();
  if (ended.ok()) return launcher.LeftAsAsked() ? 0 : EndLike(*ended);
  const bool operator_fault = !absl::IsResourceExhausted(ended.status()) &&
                              !absl::IsUnavailable(ended.status()) &&
                              !absl::IsDeadlineExceeded(ended.status());
  launcher.coordinator()
      .Send(link::Refused{operator_fault, std::string(ended.status().message())})
      .IgnoreError();
  return 1;
}

}  // namespace uc::exec
