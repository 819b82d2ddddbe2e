#include "core/front/program_process.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
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
#include "core/exec/preload_file.h"
#include "core/exec/program_end.h"
#include "core/exec/waits_at.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

// Of --listen-timeout: late enough to be fair, and before the coordinator ends us without a word.
constexpr double kLateAt = 0.9;
constexpr size_t kSeenShown = 8;
// Of looks at what is readable; then the worker's clients have their turn.
constexpr int kRoundsMax = 16;

}  // namespace

ProgramProcess::ProgramProcess(const exec::LaunchOptions& options, Place place,
                               scoreboard::Report& report, const Fd& epoll, Events events)
    : options_(options),
      place_(std::move(place)),
      report_(report),
      events_(std::move(events)),
      epoll_(epoll) {}

ProgramProcess::~ProgramProcess() {
  if (started_.has_value() && state_ != State::kEnded) started_->child().KillGroup();
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
  const exec::UserIds user = exec::UserOf(options_);
  absl::StatusOr<exec::NotifySocket> notify = exec::NotifySocket::Open(user.user, user.group);
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
  place.slot = place_.slot;
  place.generation = place_.generation;
  place.notify_socket = notify_->path();
  if (preload()) {
    absl::StatusOr<std::string> library =
        exec::PlacePreload(exec::SharedPlaces(), exec::PreloadLibrary::kSite);
    if (!library.ok()) return library.status();
    place.preload = {.library = *std::move(library), .door = door_->address()};
  }
  place.port = site_->port();
  std::vector<int> listeners;
  if (!preload()) listeners = {inherited_.get()};
  absl::StatusOr<exec::StartedProgram> started = exec::StartedProgram::Start(
      options_, program_, std::move(place), std::move(listeners), report_);
  if (!started.ok()) return started.status();
  started_.emplace(*std::move(started));
  Watch(started_->child().fd());
  if (started_->node_fd() >= 0) Watch(started_->node_fd());
  LogInfo(absl::StrCat("runs ", program_.argv[0], " (pid ", started_->child().pid(),
                       ") behind this worker: ",
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

bool ProgramProcess::OnReadable() {
  epoll_event events[16];
  for (int round = 0; round < kRoundsMax; ++round) {
    const int count = epoll_wait(epoll_.get(), events, std::size(events), 0);
    if (count <= 0) return false;
    bool ended = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == started_->child().fd()) {
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
    if (ended) Reap();
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
  // Who inherits its listener need not listen(): this is how it says that it accepts.
  accepts_ = true;
  LogInfo(absl::StrCat("the program ", how));
  ReviewReady(MonotonicNow());
}

void ProgramProcess::OnSiteListens() {
  const absl::Time now = MonotonicNow();
  const ProgramSite::Listening listening = site_->OnListens(now);
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

void ProgramProcess::OnTime(absl::Time now) {
  if (state_ != State::kStarting) return;
  accepts_ |= !preload() && exec::WaitsAt(started_->child().pid(), {inherited_.get()});
  ReviewReady(now);
  if (state_ == State::kStarting && now >= late_at_ && !late_) {
    late_ = true;
    started_->child().KillGroup();
  }
}

// --- Its sockets ---

exec::ListenDoor::Events ProgramProcess::DoorEvents() {
  return {
      .may_bind = [this](exec::AskerId id, const exec::Wish& wish) { site_->MayBind(id, wish); },
      .may_listen = [this](exec::AskerId id, const exec::Wish& wish,
                           Fd) { site_->MayListen(id, wish); },
      .listening = [](exec::AskerId, const net::Address&) {},
      .site_listens = [this](const net::Address&) { OnSiteListens(); },
      .site_connects = [this](const net::Address& address) { site_->OnConnects(address); }};
}

// --- The end ---

void ProgramProcess::AskToLeave() {
  if (state_ == State::kLeaving || state_ == State::kEnded) return;
  state_ = State::kLeaving;
  signal_ = started_->AskToLeave(options_);
}

void ProgramProcess::Reap() {
  const std::optional<int> status = started_->child().Reap();
  if (!status.has_value()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, started_->child().fd(), nullptr);
  started_->child().KillGroup();  // what it has started and left behind
  report_.program_pid.store(0, std::memory_order_relaxed);
  wait_status_ = *status;
  if (listens() && state_ != State::kLeaving) {
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
  if (listens() && !late_) return "";
  const absl::string_view awaited =
      options_.ready == exec::ReadyWhen::kSaysSo ? "said that it is ready" : "listened";
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
    absl::StrAppend(&text, "; one that serves nobody runs without --front, with --ready=start");
  }
  if (!site_->refusal().empty()) absl::StrAppend(&text, ": ", site_->refusal());
  return text;
}

}  // namespace uc::front
