#include "core/front/program_process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/exec/environment.h"
#include "core/exec/offspring.h"
#include "core/exec/preload_file.h"
#include "core/exec/program_end.h"
#include "core/exec/waits_at.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

// Of --listen-timeout: late enough to be fair, and before the coordinator ends us without a word.
constexpr double kLateAt = 0.9;
constexpr size_t kSeenShown = 8;
// With what was killed and does not end: in an uninterruptible wait, or of another user.
constexpr absl::Duration kOffspringPatience = absl::Seconds(1);
// Of looks at what is readable; then the worker's clients have their turn.
constexpr int kRoundsMax = 16;

}  // namespace

ProgramProcess::ProgramProcess(const exec::LaunchOptions& options, Place place,
                               scoreboard::Report& report, Watches watches, Events events)
    : options_(options),
      place_(std::move(place)),
      report_(report),
      events_(std::move(events)),
      watches_(watches) {}

ProgramProcess::~ProgramProcess() {
  if (started_.has_value()) Kill();
}

// --- The start ---

absl::Status ProgramProcess::Start(absl::Time now) {
  late_at_ = now + options_.listen_timeout * kLateAt;
  absl::StatusOr<exec::Program> program = exec::FindProgram(options_.program);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  sockets_ = exec::WayOf(options_, program_);
  if (absl::Status status = OpenDoors(); !status.ok()) return status;
  return StartChild();
}

absl::Status ProgramProcess::OpenDoors() {
  const std::string name = absl::StrCat("@uring-cluster-", getpid(), "-", place_.slot, "-",
                                        place_.generation, "-", MonotonicNanos(), "-site");
  absl::StatusOr<exec::ListenDoor> door = exec::ListenDoor::Open(name, DoorEvents());
  if (!door.ok()) return door.status();
  door_.emplace(*std::move(door));
  site_.emplace(options_, place_.site, *door_,
                ProgramSite::Events{.claim = events_.claim,
                                    .more_listeners = events_.more_listeners,
                                    .watch = [this](int fd) { Watch(fd); }});
  absl::StatusOr<exec::NotifySocket> notify = exec::NotifySocket::Open(exec::UserOf(options_));
  if (!notify.ok()) return notify.status();
  notify_.emplace(*std::move(notify));
  Watch(notify_->fd());
  WatchDoor();
  if (preload()) return absl::OkStatus();
  absl::StatusOr<OwnListener> own = OwnListener::Of(options_, place_.slot, place_.generation);
  if (!own.ok()) return own.status();
  own_.emplace(*std::move(own));
  return sockets_ == exec::SocketWay::kItself ? absl::OkStatus() : OpenInherited();
}

absl::Status ProgramProcess::OpenInherited() {
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
  place.slot = place_.slot;
  place.generation = place_.generation;
  place.notify_socket = notify_->name();
  if (preload()) {
    absl::StatusOr<std::string> library =
        exec::PlacePreload(exec::SharedPlaces(), exec::PreloadLibrary::kSite);
    if (!library.ok()) return library.status();
    place.preload = {.library = *std::move(library), .door = door_->address()};
  }
  place.port = site_->port();
  if (own_.has_value()) {
    if (own_->port() != 0) place.port = own_->port();
    place.words = own_->words();
  }
  std::vector<int> listeners;
  if (inherited_.valid()) listeners = {inherited_.get()};
  absl::StatusOr<exec::StartedProgram> started = exec::StartedProgram::Start(
      options_, program_, std::move(place), std::move(listeners), report_);
  if (!started.ok()) return started.status();
  started_.emplace(*std::move(started));
  Watch(watches_.offspring.get());
  if (started_->node_fd() >= 0) Watch(started_->node_fd());
  LogInfo(absl::StrCat(
      "runs ", program_.argv[0], " (pid ", started_->child().pid(), ") behind this worker: ",
      preload() ? std::string("its site is a private socket")
      : inherited_.valid()
          ? absl::StrCat("it inherits a private listener as LISTEN_FDS, descriptor ",
                         "3, or listens at PORT=", own_->port(), " itself")
          : absl::StrCat("it listens at ", own_->text(), " itself")));
  return absl::OkStatus();
}

// --- What it says ---

void ProgramProcess::Watch(int fd) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(watches_.epoll.get(), EPOLL_CTL_ADD, fd, &event);
}

// A descriptor that was closed has left the set by itself (epoll(7)), and its number may be another's by now.
void ProgramProcess::WatchDoor() {
  for (const int fd : door_->descriptors()) Watch(fd);  // EEXIST: it is watched
}

bool ProgramProcess::OnReadable() {
  epoll_event events[16];
  for (int round = 0; round < kRoundsMax; ++round) {
    const int count = epoll_wait(watches_.epoll.get(), events, std::size(events), 0);
    if (count <= 0) return false;
    bool ended = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == watches_.offspring.get() || fd == server_.get()) {
        ended = true;
      } else if (fd == notify_->fd()) {
        if (notify_->HeardReady()) SaysReady("says READY=1");
      } else if (fd == started_->node_fd()) {
        if (started_->HeardReady()) SaysReady("says 'ready'");
      } else if (!site_->OnReadable(fd)) {
        door_->OnReadable(fd);
      }
    }
    WatchDoor();
    if (ended) OnOffspring();
    if (state_ == State::kEnded) return false;
  }
  return true;
}

void ProgramProcess::OnClaimed(const link::Claimed& claimed, Fd listener) {
  if (site_.has_value()) site_->OnClaimed(claimed, std::move(listener));
}

void ProgramProcess::OnCoordinatorGone() {
  if (site_.has_value()) site_->OnCoordinatorGone();
}

void ProgramProcess::SaysReady(absl::string_view how) {
  has_said_so_ = true;
  LookForListener();
  // Who inherits its listener need not listen(): this is how it says that it accepts.
  accepts_ |= inherited_.valid();
  LogInfo(absl::StrCat("the program ", how));
  ReviewReady(MonotonicNow());
}

void ProgramProcess::OnSiteListens(pid_t process) {
  const absl::Time now = MonotonicNow();
  const ProgramSite::Listening listening = site_->OnListens(now);
  if (!site_->listens()) return;
  if (process == started_->child().pid()) {
    first_listens_ = true;
  } else if (process > 0) {
    server_pid_ = process;
    server_.Reset(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  }
  if (listening == ProgramSite::Listening::kElsewhere && state_ == State::kServing) {
    return events_.ready();
  }
  ReviewReady(now);
}

void ProgramProcess::ReviewReady(absl::Time now) {
  if (!listens() || (options_.ready == exec::ReadyWhen::kSaysSo && !has_said_so_)) return;
  const bool ready = !preload() || has_said_so_ || site_->certain(now) || now >= late_at_;
  if (state_ != State::kStarting || !ready) return;
  site_->Settle();
  state_ = State::kServing;
  events_.ready();
}

void ProgramProcess::LookForListener() {
  if (!own_.has_value() || accepts_) return;
  if (const Endpoint* const found = own_->Find(); found != nullptr) {
    endpoint_.emplace(*found);
    accepts_ = true;
    LogInfo(absl::StrCat("the program listens at ", found->text(), " by itself"));
  } else if (inherited_.valid()) {
    accepts_ = exec::WaitsAt(started_->child().pid(), {inherited_.get()});
  }
}

void ProgramProcess::OnTime(absl::Time now) {
  if (state_ == State::kEnding && now >= patient_until_) {
    LogWarning("what the program has started does not end, though it was killed");
    return Ended();
  }
  if (state_ != State::kStarting) return;
  LookForListener();
  ReviewReady(now);
  if (state_ == State::kStarting && now >= late_at_ && !late_) {
    late_ = true;
    Kill();
  }
}

// --- Its sockets ---

exec::ListenDoor::Events ProgramProcess::DoorEvents() {
  return {
      .may_bind = [this](exec::AskerId id, const exec::Wish& wish) { site_->MayBind(id, wish); },
      .may_listen = [this](exec::AskerId id, const exec::Wish& wish,
                           Fd) { site_->MayListen(id, wish); },
      .listening = [](exec::AskerId, const net::Address&) {},
      .site_listens = [this](pid_t process, const net::Address&) { OnSiteListens(process); },
      .site_connects = [this](const net::Address& address) { site_->OnConnects(address); }};
}

// --- The end ---

void ProgramProcess::AskToLeave() {
  if (state_ != State::kStarting && state_ != State::kServing) return;
  state_ = State::kLeaving;
  asked_ = true;
  const bool wrapped = !first_listens_ && server_.valid();
  using Whom = exec::StartedProgram::Whom;
  signal_ = started_->AskToLeave(options_, wrapped ? Whom::kAll : Whom::kFirst);
  const bool outside = wrapped && getpgid(server_pid_) != started_->child().pid();
  if (outside && signal_ != 0) {
    syscall(SYS_pidfd_send_signal, server_.get(), signal_, nullptr, 0);
  }
}

void ProgramProcess::Kill() {
  if (state_ == State::kEnded) return;
  killed_ = true;
  if (!first_ended_.has_value()) started_->child().KillGroup();
  exec::KillOffspring();
}

bool ProgramProcess::ServerLives() const {
  pollfd watch = {server_.get(), POLLIN, 0};
  return server_.valid() && poll(&watch, 1, 0) == 0;
}

void ProgramProcess::OnOffspring() {
  const pid_t first = started_->child().pid();
  const bool somebody =
      exec::ReapOffspring(watches_.offspring, {.ended =
                                                   [this, first](pid_t pid) {
                                                     // As long as its number is its own.
                                                     if (pid == first && state_ != State::kLeaving)
                                                       started_->child().KillGroup();
                                                   },
                                               .reaped =
                                                   [this, first](pid_t pid, int status) {
                                                     if (pid == first) first_ended_ = status;
                                                   }});
  if (!first_ended_.has_value()) return;
  if (!somebody) return Ended();
  // A wrapper can be gone before what it has run, which is still leaving as it was asked to.
  if (state_ == State::kLeaving && !killed_ && ServerLives()) return Watch(server_.get());
  Ending();
  exec::KillOffspring();
}

void ProgramProcess::Ending() {
  if (state_ == State::kEnding) return;
  state_ = State::kEnding;
  patient_until_ = MonotonicNow() + kOffspringPatience;
  server_.Reset();
  events_.ending();
}

void ProgramProcess::Ended() {
  Ending();
  epoll_ctl(watches_.epoll.get(), EPOLL_CTL_DEL, watches_.offspring.get(), nullptr);
  report_.program_pid.store(0, std::memory_order_relaxed);
  wait_status_ = *first_ended_;
  if (listens() && !asked_) {
    LogWarning(absl::StrCat("the program ", WIFEXITED(wait_status_) ? "" : "was ",
                            exec::EndText(wait_status_)));
  }
  state_ = State::kEnded;
  events_.ended();
}

bool ProgramProcess::left_as_asked() const {
  if (!asked_) return false;
  if (WIFSIGNALED(wait_status_)) return WTERMSIG(wait_status_) == signal_;
  // A shell tells so of a signal that has ended what it ran.
  return WEXITSTATUS(wait_status_) == 0 || WEXITSTATUS(wait_status_) == 128 + signal_;
}

std::string ProgramProcess::Awaited() const {
  if (options_.ready == exec::ReadyWhen::kSaysSo) return "said that it is ready";
  if (!own_.has_value()) return "listened";
  if (!inherited_.valid()) return absl::StrCat("listened at ", own_->text());
  return absl::StrCat("accepted from LISTEN_FDS, or listened at PORT=", own_->port());
}

std::string ProgramProcess::Failure() const {
  if (listens() && !late_) return "";
  const std::string awaited = Awaited();
  std::string text =
      late_
          ? absl::StrCat("the program has not ", awaited,
                         " within --listen-timeout=", absl::FormatDuration(options_.listen_timeout))
          : absl::StrCat("the program ", WIFEXITED(wait_status_) ? "" : "was ",
                         exec::EndText(wait_status_), " before it ", awaited);
  const absl::Span<const net::Address> elsewhere = site_->elsewhere();
  if (!listens() && !elsewhere.empty()) {
    absl::StrAppend(&text, " at its site; it has ",
                    absl::StrJoin(elsewhere.subspan(0, kSeenShown), ", ",
                                  [](std::string* out, const net::Address& address) {
                                    out->append(address.ToString());
                                  }),
                    ", which is not taken for it (--listen names the port)");
  } else if (late_ && !listens() && options_.ready == exec::ReadyWhen::kListens) {
    absl::StrAppend(&text, "; one that serves nobody runs with --ready=start",
                    preload() ? ", one whose sockets cannot be seen with --upstream" : "");
  }
  if (!site_->refusal().empty()) absl::StrAppend(&text, ": ", site_->refusal());
  return text;
}

}  // namespace uc::front
