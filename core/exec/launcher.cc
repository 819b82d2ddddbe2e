#include "core/exec/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/core_pin.h"
#include "core/base/log.h"
#include "core/exec/child.h"
#include "core/exec/listen_door.h"
#include "core/exec/node_channel.h"
#include "core/exec/notify_socket.h"
#include "core/exec/preload_file.h"
#include "core/exec/queue_watch.h"
#include "core/exec/slot_listeners.h"
#include "core/exec/waits_at.h"
#include "core/link/first_word.h"
#include "core/net/listener.h"
#include "core/net/slot_load.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::exec {
namespace {

// Between two looks at the program while connections come: silence is to be noticed before clients do.
constexpr absl::Duration kBusyLook = absl::Milliseconds(25);
constexpr absl::Duration kStartLook = absl::Milliseconds(20);
// Of --listen-timeout: late enough to be fair, and before the coordinator kills us without a word.
constexpr double kRefuseAt = 0.9;
constexpr absl::Duration kDrainLook = absl::Milliseconds(5);
// When others go on, idle connections get the chance of one more request.
constexpr absl::Duration kIdleGrace = absl::Seconds(1);
// Without connections for so long it is looked at only now and then.
constexpr absl::Duration kIdleAfter = absl::Seconds(1);

// What came with Assign, sorted.
struct Assigned {
  link::Assign assign;
  scoreboard::Scoreboard board;
  Fd inbox, inbox_writing, door;
  std::vector<Fd> steering;
  std::vector<Fd> listeners;
};

absl::StatusOr<Assigned> AwaitAssigned(link::Channel& channel) {
  absl::StatusOr<link::Received> first = link::AwaitAssign(channel);
  if (!first.ok()) return first.status();
  const link::Assign& assign = std::get<link::Assign>(first->message);
  if (assign.row >= scoreboard::kWorkerRows) {
    return absl::FailedPreconditionError("the coordinator's first word is no assignment");
  }
  std::vector<Fd>& descriptors = first->descriptors;
  absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::Attach(std::move(descriptors[0]));
  if (!board.ok()) return board.status();
  Assigned assigned{.assign = assign,
                    .board = *std::move(board),
                    .inbox = std::move(descriptors[1]),
                    .inbox_writing = std::move(descriptors[2]),
                    .door = std::move(descriptors[3]),
                    .steering = {},
                    .listeners = {}};
  const auto rest = std::make_move_iterator(descriptors.begin() + link::kAssignDescriptors);
  const auto end = std::make_move_iterator(descriptors.end());
  assigned.steering.assign(rest, rest + assign.steering);
  assigned.listeners.assign(rest + assign.steering, end);
  return assigned;
}

std::string EndText(int status) {
  if (WIFEXITED(status)) return absl::StrCat("exited with code ", WEXITSTATUS(status));
  const char* const name = sigabbrev_np(WTERMSIG(status));
  return name != nullptr ? absl::StrCat("killed by SIG", name)
                         : absl::StrCat("killed by signal ", WTERMSIG(status));
}

// As the program ended.
int EndLike(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const rlimit no_core = {0, 0};  // it has written its own, if any
  setrlimit(RLIMIT_CORE, &no_core);
  const int number = WTERMSIG(status);
  signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  return 128 + number;
}

uid_t UserOf(const LaunchOptions& options) {
  const passwd* const user = options.user.empty() ? nullptr : getpwnam(options.user.c_str());
  return user != nullptr ? user->pw_uid : geteuid();
}

class Launcher {
 public:
  Launcher(const LaunchOptions& options, link::Channel channel, Assigned assigned)
      : options_(options),
        channel_(std::move(channel)),
        assigned_(std::move(assigned)),
        row_(assigned_.board.layout().workers[assigned_.assign.row]),
        started_at_(MonotonicNow()) {}
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
    child_->KillGroup();
    row_.program_pid.store(0, std::memory_order_relaxed);
    Count();
    if (ready_ || draining_) return *ended_;
    return absl::FailedPreconditionError(absl::StrCat(
        refused_.empty() ? absl::StrCat("the program ", WIFEXITED(*ended_) ? "" : "was ",
                                        EndText(*ended_), " before it ", Awaited())
                         : refused_,
        listeners_->refusal().empty() ? "" : absl::StrCat(": ", listeners_->refusal())));
  }
  // It ended by what we asked it to leave with.
  bool LeftAsAsked() const {
    return asked_ && WIFSIGNALED(*ended_) && WTERMSIG(*ended_) == options_.kill_signal;
  }
  link::Channel& channel() { return channel_; }

 private:
  absl::Status TakeListeners();
  absl::Status OpenDoors();
  absl::Status StartProgram();
  std::vector<std::string> Environment(const std::string& preload) const;
  std::string Awaited() const;

  void Turn();
  absl::Duration TimeLeft(absl::Time now) const;
  // It listens when it waits at what it has inherited.
  bool AwaitsWaiting() const {
    return !ready_ && !preload_ && options_.ready == ReadyWhen::kListens;
  }
  void OnTime(absl::Time now);
  void Look(absl::Time now);
  void Count();
  void OnLink();
  void Obey(link::Received received);
  void OnDoor();
  void OnSignal();
  void OnNode();
  void BecomeReady(absl::string_view how);
  void BeginDrain(link::DrainKind kind, absl::Duration within);
  void AskToLeave();

  const LaunchOptions& options_;
  link::Channel channel_;
  Assigned assigned_;
  scoreboard::WorkerRow& row_;
  const absl::Time started_at_;

  Program program_;
  bool preload_ = true;  // else LISTEN_FDS
  std::optional<net::SlotLoad> load_;
  std::optional<SlotListeners> listeners_;
  std::optional<ListenDoor> door_;
  std::optional<NotifySocket> notify_;
  std::optional<NodeChannel> node_;
  std::optional<Child> child_;
  Fd signals_;
  bool linked_ = true;

  bool ready_ = false;
  bool admitted_ = true;
  bool draining_ = false;
  bool asked_ = false;  // to leave
  int signal_count_ = 0;
  absl::Time quiet_until_ = absl::InfiniteFuture();  // then it is asked whoever is being served
  absl::Time idle_until_ = absl::InfinitePast();     // then idle connections end with it
  std::string refused_;                              // why we end it before it was ready
  std::optional<int> ended_;

  QueueWatch watch_;
  absl::Time look_at_ = absl::InfinitePast();
  absl::Time traffic_at_ = absl::InfinitePast();
  Life counted_ = {};
  uint64_t accepted_at_look_ = 0;
  absl::Time forget_at_ = absl::InfinitePast();
};

absl::Status Launcher::TakeListeners() {
  absl::StatusOr<Program> program = FindProgram(options_.program);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  preload_ = options_.sockets == SocketWay::kPreload ||
             (options_.sockets == SocketWay::kAuto && !program_.bypasses_libc);
  std::vector<net::Address> cluster;
  for (size_t i = 0; i < options_.addresses.size() && i < assigned_.assign.addresses.size(); ++i) {
    absl::StatusOr<net::Address> address = net::Address::Parse(assigned_.assign.addresses[i]);
    if (!address.ok()) return address.status();
    cluster.push_back(*address);
  }
  net::ListenOptions listen;
  listen.backlog = options_.backlog;
  if (assigned_.listeners.size() < cluster.size()) {
    assigned_.listeners.clear();
    std::vector<int> descriptors;
    for (const net::Address& address : cluster) {
      absl::StatusOr<Fd> bound = net::Bind(address, listen);
      if (!bound.ok()) return bound.status();
      // As systemd passes them; who wants it otherwise sets it once, for all that come after it.
      if (!preload_) fcntl(bound->get(), F_SETFL, fcntl(bound->get(), F_GETFL) & ~O_NONBLOCK);
      descriptors.push_back(bound->get());
      assigned_.listeners.push_back(*std::move(bound));
    }
    absl::Status status = channel_.Send(link::Bound{}, descriptors);
    if (!status.ok()) return status;
  }
  if (!preload_) {
    // It will not call listen(): who inherits a listener takes it as it is.
    for (size_t i = 0; i < cluster.size(); ++i) {
      absl::Status status = net::StartListening(assigned_.listeners[i], cluster[i], listen);
      if (!status.ok()) return status;
    }
  }
  if (!assigned_.steering.empty()) {
    absl::StatusOr<net::SlotLoad> load =
        net::SlotLoad::Map(assigned_.steering[0], assigned_.assign.slot);
    if (!load.ok()) return load.status();
    load_.emplace(*std::move(load));
  }
  listeners_.emplace(
      std::move(cluster), std::move(assigned_.listeners),
      SlotListeners::Outward{
          .claim =
              [this](const link::Claim& claim) { return linked_ && channel_.Send(claim).ok(); },
          .bound = [this](int fd) { channel_.Send(link::Bound{}, {fd}).IgnoreError(); }});
  return absl::OkStatus();
}

absl::Status Launcher::OpenDoors() {
  const std::string name = absl::StrCat("@uring-cluster-", getpid(), "-", assigned_.assign.slot,
                                        "-", assigned_.assign.generation, "-", MonotonicNanos());
  const uid_t user = UserOf(options_);
  absl::StatusOr<ListenDoor> door = ListenDoor::Open(
      name + "-listen", user,
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
  absl::StatusOr<NotifySocket> notify = NotifySocket::Open(name + "-notify", user);
  if (!notify.ok()) return notify.status();
  notify_.emplace(*std::move(notify));
  signals_ = link::TakeSignals();
  return signals_.valid() ? absl::OkStatus() : absl::ResourceExhaustedError("no file descriptors");
}

std::vector<std::string> Launcher::Environment(const std::string& preload) const {
  const std::string slot = absl::StrCat(assigned_.assign.slot);
  const std::string name = door_->name();
  std::vector<std::string> environment = {
      absl::StrCat("URING_CLUSTER_NAME=", options_.name),
      absl::StrCat("URING_CLUSTER_SLOT=", slot),
      absl::StrCat("URING_CLUSTER_GENERATION=", assigned_.assign.generation),
      absl::StrCat("NODE_APP_INSTANCE=", slot),
      absl::StrCat("INSTANCE_ID=", slot),
      absl::StrCat("pm_id=", slot),
      absl::StrCat("NOTIFY_SOCKET=", notify_->name()),
  };
  if (preload_) {
    const char* const present = getenv("LD_PRELOAD");
    environment.push_back(absl::StrCat("LD_PRELOAD=", preload,
                                       present != nullptr && *present != '\0' ? ":" : "",
                                       present != nullptr ? present : ""));
    environment.push_back(absl::StrCat(kDoorVariable, "=", name));
    // libuv (1.45 on) can register with epoll through a ring, past every library.
    if (getenv("UV_USE_IO_URING") == nullptr) environment.push_back("UV_USE_IO_URING=0");
  }
  if (!options_.addresses.empty() && !assigned_.assign.addresses.empty()) {
    const absl::StatusOr<net::Address> first = net::Address::Parse(assigned_.assign.addresses[0]);
    if (first.ok()) environment.push_back(absl::StrCat("PORT=", first->port()));
  }
  environment.insert(environment.end(), options_.environment.begin(), options_.environment.end());
  return environment;
}

absl::Status Launcher::StartProgram() {
  std::string preload;
  if (preload_) {
    absl::StatusOr<std::string> placed = PlacePreload();
    if (!placed.ok()) return placed.status();
    preload = *std::move(placed);
  }
  ChildOptions child;
  child.program = program_;
  child.directory = options_.program.directory;
  child.environment = Environment(preload);
  child.user = options_.user;
  if (!preload_) {
    child.listeners = listeners_->descriptors();
    child.listeners.resize(listeners_->cluster_size());
  }
  Fd node_end;
  if (program_.node) {
    absl::StatusOr<std::pair<NodeChannel, Fd>> channel = NodeChannel::Make();
    if (!channel.ok()) return channel.status();
    node_.emplace(std::move(channel->first));
    node_end = std::move(channel->second);
    child.node_channel = node_end.get();
  }
  absl::StatusOr<Child> started = Child::Start(child);
  if (!started.ok()) return started.status();
  child_.emplace(*std::move(started));
  row_.program_pid.store(child_->pid(), std::memory_order_relaxed);
  const size_t listeners = listeners_->cluster_size();
  LogInfo(absl::StrCat(
      "runs ", program_.argv[0], " (pid ", child_->pid(), "): ",
      preload_ ? "its own listen() uses this slot's listener (preload library)"
      : listeners == 0
          ? "it bypasses libc and there is no --listen: its sockets are its own"
          : absl::StrCat("it inherits ", listeners, listeners == 1 ? " listener" : " listeners",
                         " as LISTEN_FDS, from descriptor 3 on")));
  if (options_.ready == ReadyWhen::kStarted) BecomeReady("was started");
  return absl::OkStatus();
}

std::string Launcher::Awaited() const {
  return options_.ready == ReadyWhen::kSaysSo ? "said that it is ready" : "listened";
}

// --- The loop ---

void Launcher::Turn() {
  std::vector<pollfd> watched;
  const auto add = [&watched](int fd) { watched.push_back({fd, POLLIN, 0}); };
  add(child_->fd());
  add(signals_.get());
  add(notify_->fd());
  add(assigned_.door.get());
  add(node_.has_value() ? node_->fd() : -1);
  add(linked_ ? channel_.fd() : -1);
  const size_t doors = watched.size();
  for (const int fd : door_->descriptors()) add(fd);
  const size_t queues = watched.size();
  const absl::Time before = MonotonicNow();
  // One connection after a pause is what wakes us; then the clock does, however many come.
  if (ready_ && !draining_ && before - traffic_at_ >= kIdleAfter) {
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
  if (readable(3)) OnDoor();
  if (readable(4)) OnNode();
  if (readable(5)) OnLink();
  for (size_t i = queues; i < watched.size(); ++i) {
    if (!readable(i)) continue;
    traffic_at_ = now;
    look_at_ = now;
  }
  OnTime(now);
  if (readable(0)) ended_ = child_->Reap();
}

absl::Duration Launcher::TimeLeft(absl::Time now) const {
  absl::Time due = look_at_;
  if (!ready_ && refused_.empty()) {
    due = std::min(due, started_at_ + options_.listen_timeout * kRefuseAt);
  }
  if (AwaitsWaiting()) due = std::min(due, now + kStartLook);
  if (draining_ && !asked_)
    due = std::min({due, quiet_until_, std::max(idle_until_, now + kDrainLook)});
  return std::clamp(due - now, absl::ZeroDuration(), absl::Seconds(60));
}

void Launcher::OnTime(absl::Time now) {
  if (now >= look_at_) Look(now);
  if (AwaitsWaiting() && WaitsAt(child_->pid(), listeners_->descriptors())) {
    BecomeReady("waits at the listeners that it has inherited");
  }
  if (!ready_ && refused_.empty() && now >= started_at_ + options_.listen_timeout * kRefuseAt) {
    refused_ = absl::StrCat(
        "the program has not ", Awaited(),
        " within --listen-timeout=", absl::FormatDuration(options_.listen_timeout),
        options_.ready == ReadyWhen::kSaysSo
            ? " (--wait-ready awaits process.send('ready') or READY=1 at NOTIFY_SOCKET)"
        : preload_ ? " through libc (a program that bypasses it has to take LISTEN_FDS: "
                     "--sockets=listen-fds; one that never listens: --ready=start)"
                   : " on what it inherits as LISTEN_FDS (READY=1 at NOTIFY_SOCKET would do, too)");
    // At once: the coordinator's own patience ends soon, and it would not know why.
    channel_.Send(link::Refused{true, refused_}).IgnoreError();
    child_->KillGroup();
  }
  if (!draining_ || asked_) return;
  const std::optional<ListenDoor::Tally> open = door_->Connections();
  const bool quiet = open.has_value() && open->busy == 0;
  if (now >= quiet_until_ || (quiet && (open->open == 0 || now >= idle_until_))) AskToLeave();
}

void Launcher::Look(absl::Time now) {
  const uint32_t waiting = listeners_->Waiting();
  Count();
  if (preload_ && door_->anybody_listens()) {
    watch_.Look(waiting, counted_.turns + counted_.accepts);
  } else {
    watch_.Look(waiting);
  }
  row_.work_waits.store(watch_.silent(), std::memory_order_relaxed);
  // Before READY listen_timeout watches it.
  if (ready_ && !watch_.silent()) {
    row_.heartbeat_ns.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  }
  if (waiting > 0 || counted_.accepts != accepted_at_look_) traffic_at_ = now;
  if (load_.has_value() && waiting == 0) load_->SeenEmpty();
  if (load_.has_value() && now >= forget_at_) {
    load_->ForgetPending();
    forget_at_ = now + options_.heartbeat_period;
  }
  accepted_at_look_ = counted_.accepts;
  look_at_ = now + (now - traffic_at_ < kIdleAfter ? kBusyLook : options_.heartbeat_period);
}

// What the program's processes have counted since the last time goes to the scoreboard and to the steering.
void Launcher::Count() {
  const Life life = door_->Total();
  if (load_.has_value()) {
    for (uint64_t i = counted_.accepts; i < life.accepts; ++i)
      load_->Accepted(assigned_.assign.slot);
    for (uint64_t i = counted_.closes; i < life.closes; ++i) load_->Lost();
  }
  counted_ = life;
  row_.counters.accepted.store(life.accepts, std::memory_order_relaxed);
  row_.counters.closed.store(life.closes, std::memory_order_relaxed);
}

// --- The coordinator ---

void Launcher::OnLink() {
  while (linked_) {
    absl::StatusOr<std::optional<link::Received>> received = channel_.Receive();
    if (absl::IsInvalidArgument(received.status())) {
      LogError(absl::StrCat("leaves, for it does not understand its coordinator: ",
                            received.status().message()));
      BeginDrain(link::DrainKind::kPrompt, options_.kill_timeout);
      continue;
    }
    if (!received.ok()) {
      linked_ = false;
      if (!draining_) LogWarning("the coordinator is gone; serving on without it");
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
      if (address.ok() && !draining_) door_->Adopt(adopt->slot, *address, std::move(listener));
    }
  } else if (const auto* release = std::get_if<link::Release>(&received.message)) {
    door_->Release(release->slot);
  } else if (std::holds_alternative<link::Admit>(received.message)) {
    admitted_ = true;
    if (!draining_) door_->Admit();
  } else if (std::holds_alternative<link::Reopen>(received.message)) {
    if (!descriptors.empty()) dup2(descriptors[0].get(), STDERR_FILENO);
  }
}

// A coordinator that came after ours. The newest is the one to obey.
void Launcher::OnDoor() {
  while (std::optional<Fd> visitor = link::AnswerDoor(assigned_.door)) {
    channel_.Replace(*std::move(visitor));
    linked_ = true;
    link::Hello hello;
    hello.slot = assigned_.assign.slot;
    hello.generation = assigned_.assign.generation;
    hello.phase = draining_   ? link::Phase::kDraining
                  : admitted_ ? link::Phase::kServing
                              : link::Phase::kReady;
    hello.steering = static_cast<uint16_t>(assigned_.steering.size());
    std::vector<int> descriptors = {assigned_.inbox_writing.get()};
    for (const Fd& fd : assigned_.steering) descriptors.push_back(fd.get());
    for (const int fd : listeners_->descriptors()) descriptors.push_back(fd);
    absl::Status status = channel_.Send(hello, descriptors);
    const auto& adopted = door_->adopted();
    for (auto one = adopted.begin(); one != adopted.end() && status.ok();) {
      std::vector<int> held;
      const auto end = adopted.upper_bound(one->first);
      const uint32_t slot = one->first;
      for (; one != end; ++one) held.push_back(one->second.second.get());
      status = channel_.Send(link::Holds{slot}, held);
    }
    if (status.ok()) status = channel_.Send(link::HelloEnd{});
    if (!status.ok())
      LogWarning(absl::StrCat("a new coordinator left at once: ", status.message()));
  }
}

void Launcher::OnSignal() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (++signal_count_ > 1) {
      child_->KillGroup();
    } else {
      BeginDrain(link::DrainKind::kPrompt, options_.kill_timeout);
    }
  }
}

// --- The program ---

void Launcher::OnNode() {
  bool open = true;
  for (const std::string& message : node_->Receive(&open)) {
    if (message == "\"ready\"") BecomeReady("says 'ready'");
  }
  if (!open) node_.reset();
}

void Launcher::BecomeReady(absl::string_view how) {
  if (std::exchange(ready_, true)) return;
  LogInfo(absl::StrCat("serves: the program ", how));
  look_at_ = absl::InfinitePast();
  row_.heartbeat_ns.store(MonotonicNanos(), std::memory_order_relaxed);
  if (absl::Status status = channel_.Send(link::Ready{false}); !status.ok()) {
    LogWarning(absl::StrCat("READY does not reach the coordinator: ", status.message()));
  }
}

void Launcher::BeginDrain(link::DrainKind kind, absl::Duration within) {
  if (kind == link::DrainKind::kPrompt) idle_until_ = absl::InfinitePast();
  if (std::exchange(draining_, true)) return;
  door_->Close();
  const absl::Time now = MonotonicNow();
  if (within == absl::ZeroDuration()) within = options_.kill_timeout;
  quiet_until_ = now + within / 2;
  // Clients that are about to ask hear `Connection: close`, and lose nothing.
  if (kind == link::DrainKind::kHandOver) idle_until_ = now + std::min(kIdleGrace, within / 4);
  if (!ready_ || !door_->anybody_listens()) return AskToLeave();
  LogInfo(
      "draining: the program gets no new connection, and is asked to leave when it has answered");
}

void Launcher::AskToLeave() {
  asked_ = true;
  if (options_.shutdown_with_message && node_.has_value() && node_->Send("\"shutdown\"")) {
    LogInfo("the program is asked to leave: message 'shutdown'");
    return;
  }
  const char* const name = sigabbrev_np(options_.kill_signal);
  LogInfo(absl::StrCat("the program is asked to leave: SIG", name != nullptr ? name : "?"));
  child_->Signal(options_.kill_signal);
}

}  // namespace

absl::Status CheckLaunch(const LaunchOptions& options) {
  if (!options.user.empty() && getpwnam(options.user.c_str()) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("--user=", options.user, ": no such user"));
  }
  const absl::StatusOr<Program> program = FindProgram(options.program);
  if (!program.ok()) return program.status();
  if (options.shutdown_with_message && !program->node) {
    return absl::InvalidArgumentError(
        absl::StrCat("--shutdown-with-message is for Node programs, and ", options.program.path,
                     " is run by ", program->argv[0]));
  }
  return absl::OkStatus();
}

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
  launcher.channel()
      .Send(link::Refused{operator_fault, std::string(ended.status().message())})
      .IgnoreError();
  return 1;
}

}  // namespace uc::exec
