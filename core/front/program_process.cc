#include "core/front/program_process.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/exec/environment.h"
#include "core/exec/preload_file.h"
#include "core/exec/program_end.h"
#include "core/exec/waits_at.h"
#include "core/net/listener.h"
#include "core/scoreboard/process_start.h"

namespace uc::front {
namespace {

// Of --listen-timeout: late enough to be fair, and before the coordinator ends us without a word.
constexpr double kLateAt = 0.9;
constexpr size_t kSeenMax = 8;

bool IsLoopback(const net::Address& address) {
  if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.get());
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.get());
  return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

// Of Node (9229, counted up for its children): it listens before the program does.
bool IsDebugger(const net::Address& address) {
  return IsLoopback(address) && address.port() >= 9229 && address.port() < 9329;
}

bool Listens(int fd) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

uint16_t PrivilegedBelow(const exec::LaunchOptions& options) {
  const bool another = options.identity.has_value() && options.identity->uid != geteuid();
  return another ? uint16_t{1024} : uint16_t{0};
}

}  // namespace

ProgramProcess::ProgramProcess(const exec::LaunchOptions& options, Place place,
                               scoreboard::Report& report, const Fd& epoll, Events events)
    : options_(options),
      place_(std::move(place)),
      report_(report),
      events_(std::move(events)),
      epoll_(epoll) {}

ProgramProcess::~ProgramProcess() {
  if (child_.has_value() && state_ != State::kEnded) child_->KillGroup();
}

// --- The start ---

absl::Status ProgramProcess::Start(absl::Time now) {
  late_at_ = now + options_.listen_timeout * kLateAt;
  absl::StatusOr<exec::Program> program = exec::FindProgram(options_.program);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  sockets_ = options_.sockets;
  if (sockets_ == exec::SocketWay::kAuto) {
    sockets_ = program_.bypasses_libc ? exec::SocketWay::kListenFds : exec::SocketWay::kPreload;
  }
  if (absl::Status status = OpenDoors(); !status.ok()) return status;
  return StartChild();
}

absl::Status ProgramProcess::OpenDoors() {
  if (!epoll_.valid()) return absl::ResourceExhaustedError("no file descriptors");
  const std::string name = absl::StrCat("@uring-cluster-", getpid(), "-", place_.slot, "-",
                                        place_.generation, "-", MonotonicNanos(), "-site");
  absl::StatusOr<exec::ListenDoor> door = exec::ListenDoor::Open(name, DoorEvents());
  if (!door.ok()) return door.status();
  door_.emplace(*std::move(door));
  const bool another = options_.identity.has_value();
  absl::StatusOr<exec::NotifySocket> notify = exec::NotifySocket::Open(
      another ? options_.identity->uid : geteuid(), another ? options_.identity->gid : getegid());
  if (!notify.ok()) return notify.status();
  notify_.emplace(*std::move(notify));
  Watch(notify_->fd());
  WatchDoor();
  if (preload()) return absl::OkStatus();
  // It takes what it inherits as it is: a TCP socket, and one that blocks, as systemd passes it.
  const absl::StatusOr<net::Address> any = net::Address::Parse("127.0.0.1:0");
  if (!any.ok()) return any.status();
  absl::StatusOr<Fd> bound = net::Bind(*any, {});
  if (!bound.ok()) return bound.status();
  inherited_ = *std::move(bound);
  const absl::StatusOr<net::Address> local = net::LocalAddress(inherited_);
  if (!local.ok()) return local.status();
  if (absl::Status status = net::StartListening(inherited_, *local, {}); !status.ok()) {
    return status;
  }
  absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(local->ToString());
  if (!endpoint.ok()) return endpoint.status();
  endpoint_.emplace(*std::move(endpoint));
  return absl::OkStatus();
}

absl::Status ProgramProcess::StartChild() {
  exec::ProgramPlace place;
  place.cluster = options_.name;
  place.slot = place_.slot;
  place.generation = place_.generation;
  place.notify_socket = notify_->path();
  if (preload()) {
    absl::StatusOr<std::string> library =
        exec::PlacePreload(exec::SharedPlaces(), exec::PreloadLibrary::kSite);
    if (!library.ok()) return library.status();
    place.preload = {.library = *std::move(library), .door = door_->address()};
  }
  if (!place_.site.empty()) place.port = place_.site.front().port();
  place.inherited = exec::InheritedEnvironment(options_);
  place.environment = options_.environment;

  exec::ChildOptions child;
  child.program = program_;
  child.directory = options_.program.directory;
  child.environment = exec::EnvironmentOf(place);
  child.identity = options_.identity;
  child.descriptors = options_.descriptors;
  if (!preload()) child.listeners = {inherited_.get()};
  Fd node_end;
  if (program_.node) {
    absl::StatusOr<std::pair<exec::NodeChannel, Fd>> channel = exec::NodeChannel::Make();
    if (!channel.ok()) return channel.status();
    node_.emplace(std::move(channel->first));
    node_end = std::move(channel->second);
    child.node_channel = node_end.get();
    Watch(node_->fd());
  }
  absl::StatusOr<exec::Child> started = exec::Child::Start(child);
  if (!started.ok()) return started.status();
  child_.emplace(*std::move(started));
  Watch(child_->fd());
  report_.program_session.store(getsid(0), std::memory_order_relaxed);
  report_.program_start.store(scoreboard::ProcessStart(child_->pid()), std::memory_order_relaxed);
  report_.program_pid.store(child_->pid(), std::memory_order_release);
  LogInfo(absl::StrCat("runs ", program_.argv[0], " (pid ", child_->pid(), ") behind this worker: ",
                       preload() ? "its site is a private socket"
                                 : "it inherits a private listener as LISTEN_FDS, descriptor 3"));
  return absl::OkStatus();
}

// --- What it says ---

void ProgramProcess::Watch(int fd) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

// A descriptor that was closed has left the set by itself (epoll(7)), and its number may be another's by now.
void ProgramProcess::WatchDoor() {
  for (const int fd : door_->descriptors()) Watch(fd);  // EEXIST: it is watched
}

void ProgramProcess::OnReadable() {
  epoll_event events[16];
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events, std::size(events), 0);
    if (count <= 0) return;
    bool ended = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (child_.has_value() && fd == child_->fd()) {
        ended = true;
      } else if (notify_.has_value() && fd == notify_->fd()) {
        if (notify_->HeardReady()) SaysReady("says READY=1");
      } else if (node_.has_value() && fd == node_->fd()) {
        OnNode();
      } else {
        door_->OnReadable(fd);
      }
    }
    WatchDoor();
    if (ended) return Reap();
  }
}

void ProgramProcess::OnNode() {
  bool open = true;
  for (const std::string& message : node_->Receive(&open)) {
    if (message == "\"ready\"") SaysReady("says 'ready'");
  }
  if (!open) node_.reset();
}

void ProgramProcess::SaysReady(absl::string_view how) {
  has_said_so_ = true;
  // Who inherits its listener need not listen(): this is how it says that it accepts.
  listens_ |= !preload();
  LogInfo(absl::StrCat("the program ", how));
  ReviewReady();
}

void ProgramProcess::OnSiteListens() {
  if (!site_.has_value() || !Listens(site_->fd())) return;
  const bool moved = listens_ && former_.has_value() && state_ != State::kEnded;
  if (listens_ && !moved) return;
  former_.reset();
  listens_ = true;
  LogInfo(absl::StrCat("the program listens at ", site_->site().ToString(), ", in private"));
  if (moved && state_ == State::kServing) return events_.ready();
  ReviewReady();
}

void ProgramProcess::ReviewReady() {
  const bool ready = listens_ && (options_.ready != exec::ReadyWhen::kSaysSo || has_said_so_);
  if (state_ != State::kStarting || !ready) return;
  state_ = State::kServing;
  events_.ready();
}

void ProgramProcess::OnTime(absl::Time now) {
  if (state_ != State::kStarting || !child_.has_value()) return;
  if (!preload() && !listens_ && exec::WaitsAt(child_->pid(), {inherited_.get()})) {
    listens_ = true;
    ReviewReady();
  }
  if (state_ == State::kStarting && now >= late_at_ && !late_) {
    late_ = true;
    child_->KillGroup();
  }
}

// --- Its sockets ---

exec::ListenDoor::Events ProgramProcess::DoorEvents() {
  return {.may_bind = [this](exec::AskerId id, const exec::Wish& wish) { MayBind(id, wish); },
          .may_listen = [this](exec::AskerId id, const exec::Wish& wish,
                               Fd own) { MayListen(id, wish, own); },
          .listening = [](exec::AskerId, const net::Address&) {},
          .site_listens = [this](const net::Address&) { OnSiteListens(); }};
}

bool ProgramProcess::IsNamed(const net::Address& address) const {
  return std::any_of(place_.site.begin(), place_.site.end(),
                     [&](const net::Address& one) { return one.port() == address.port(); });
}

bool ProgramProcess::IsSite(const net::Address& wished) const {
  if (IsNamed(wished)) return true;
  if (site_.has_value()) return site_->site().port() == wished.port();
  return !IsDebugger(wished);
}

void ProgramProcess::MayBind(exec::AskerId id, const exec::Wish& wish) {
  if (IsSite(wish.address)) return GiveSite(id, wish.address);
  ShareOther(id, wish);
}

// It was not asked about when it was bound (port 0), or it is not the site: then it goes on as it is.
void ProgramProcess::MayListen(exec::AskerId id, const exec::Wish& wish, const Fd&) {
  const bool asked_about = std::any_of(seen_.begin(), seen_.end(), [&](const net::Address& one) {
    return one.port() == wish.address.port();
  });
  if (!site_.has_value() && !asked_about) return GiveSite(id, wish.address);
  door_->LeaveAlone(id);
}

void ProgramProcess::GiveSite(exec::AskerId id, const net::Address& address) {
  // Others of the same port (IPv4 and IPv6, a child that binds again) accept from the same one. What was taken for the
  // site is not any more when one comes whose port --listen names.
  const bool guessed = site_.has_value() && !IsNamed(site_->site()) && IsNamed(address);
  if (guessed) former_ = std::exchange(site_, std::nullopt);
  if (!site_.has_value()) {
    absl::StatusOr<PrivateListener> made = PrivateListener::Make(address);
    if (!made.ok()) {
      LogError(made.status().message());
      return door_->Fail(id, EADDRNOTAVAIL);
    }
    site_.emplace(*std::move(made));
    endpoint_.emplace(site_->endpoint());
  }
  door_->TakeThis(id, site_->fd());
}

void ProgramProcess::ShareOther(exec::AskerId id, const exec::Wish& wish) {
  if (seen_.size() < kSeenMax) seen_.push_back(wish.address);
  if (wish.address.port() < PrivilegedBelow(options_)) return door_->LeaveAlone(id);
  net::ListenOptions options;
  options.dual_stack = wish.dual_stack;
  const absl::StatusOr<Fd> shared = net::Bind(wish.address, options);
  if (!shared.ok()) return door_->LeaveAlone(id);  // it sees for itself why
  door_->TakeThis(id, shared->get());
}

// --- The end ---

void ProgramProcess::AskToLeave() {
  if (state_ == State::kLeaving || state_ == State::kEnded || !child_.has_value()) return;
  state_ = State::kLeaving;
  if (options_.shutdown_with_message && node_.has_value() && node_->Send("\"shutdown\"")) {
    LogInfo("the program is asked to leave: message 'shutdown'");
    return;
  }
  signal_ = options_.kill_signal;
  const char* const name = sigabbrev_np(signal_);
  LogInfo(absl::StrCat("the program is asked to leave: SIG", name != nullptr ? name : "?"));
  child_->Signal(signal_);
}

void ProgramProcess::KillGroup() {
  if (child_.has_value()) child_->KillGroup();
}

void ProgramProcess::Reap() {
  const std::optional<int> status = child_->Reap();
  if (!status.has_value()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, child_->fd(), nullptr);
  child_->KillGroup();  // what it has started and left behind
  report_.program_pid.store(0, std::memory_order_relaxed);
  wait_status_ = *status;
  if (listens_ && state_ != State::kLeaving) {
    LogWarning(
        absl::StrCat("the program ", WIFEXITED(*status) ? "" : "was ", exec::EndText(*status)));
  }
  left_as_asked_ = state_ == State::kLeaving;
  state_ = State::kEnded;
  events_.ended();
}

bool ProgramProcess::left_as_asked() const {
  if (!left_as_asked_) return false;
  return WIFEXITED(wait_status_) ? WEXITSTATUS(wait_status_) == 0
                                 : WTERMSIG(wait_status_) == signal_;
}

std::string ProgramProcess::Failure() const {
  if (listens_ && !late_) return "";
  const absl::string_view awaited =
      options_.ready == exec::ReadyWhen::kSaysSo ? "said that it is ready" : "listened";
  std::string text =
      late_
          ? absl::StrCat("the program has not ", awaited,
                         " within --listen-timeout=", absl::FormatDuration(options_.listen_timeout))
          : absl::StrCat("the program ", WIFEXITED(wait_status_) ? "" : "was ",
                         exec::EndText(wait_status_), " before it ", awaited);
  if (!listens_ && !seen_.empty()) {
    absl::StrAppend(&text, " at its site; it has ",
                    absl::StrJoin(seen_, ", ",
                                  [](std::string* out, const net::Address& address) {
                                    out->append(address.ToString());
                                  }),
                    ", which is not taken for it (--listen names the port)");
  }
  return text;
}

}  // namespace uc::front
