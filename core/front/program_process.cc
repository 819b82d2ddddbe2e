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

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
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
constexpr size_t kSeenMax = 64;
constexpr size_t kSeenShown = 8;
// A guess of the site is one so long: of a program that nobody has run in this cluster before.
constexpr absl::Duration kSettlesAfter = absl::Seconds(1);
constexpr int kRoundsPerCall = 32;

// The same address with port 0.
net::Address AnyPortOf(const net::Address& address) {
  sockaddr_storage storage = {};
  memcpy(&storage, address.get(), address.size());
  // The port of both is at one place.
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port = 0;
  return net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), address.size());
}

std::string Join(absl::Span<const net::Address> addresses) {
  return absl::StrJoin(addresses, ", ", [](std::string* out, const net::Address& address) {
    out->append(address.ToString());
  });
}

// Of the program's environment.
std::optional<uint16_t> PortVariable(const exec::LaunchOptions& options) {
  std::vector<std::string> variables = exec::InheritedEnvironment(options);
  variables.insert(variables.end(), options.environment.begin(), options.environment.end());
  std::optional<uint16_t> port;
  for (absl::string_view variable : variables) {  // the last one counts
    uint32_t number = 0;
    if (!absl::ConsumePrefix(&variable, "PORT=")) continue;
    const bool valid = absl::SimpleAtoi(variable, &number) && number > 0 && number <= UINT16_MAX;
    port = valid ? std::optional<uint16_t>(static_cast<uint16_t>(number)) : std::nullopt;
  }
  return port;
}

}  // namespace

ProgramProcess::ProgramProcess(const exec::LaunchOptions& options, Place place,
                               scoreboard::Report& report, const Fd& epoll, Events events)
    : options_(options),
      place_(std::move(place)),
      report_(report),
      events_(std::move(events)),
      epoll_(epoll),
      choice_(place_.where, NamedPorts()) {}

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
  if (options_.program_port != 0) {
    place.port = options_.program_port;
  } else if (place_.where != SiteChoice::Where::kProgram && !place_.listeners.empty()) {
    place.port = place_.listeners.front().address.port();
  }
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
  for (int round = 0; round < kRoundsPerCall; ++round) {
    const int count = epoll_wait(epoll_.get(), events, std::size(events), 0);
    if (count <= 0) return true;
    bool ended = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == started_->child().fd()) {
        ended = true;
      } else if (fd == notify_->fd()) {
        if (notify_->HeardReady()) SaysReady("says READY=1");
      } else if (fd == started_->node_fd()) {
        if (started_->HeardReady()) SaysReady("says 'ready'");
      } else if (const auto port =
                     std::find_if(side_ports_.begin(), side_ports_.end(),
                                  [fd](const SidePort& one) { return one.fd() == fd; });
                 port != side_ports_.end()) {
        port->OnReadable();
      } else {
        door_->OnReadable(fd);
      }
    }
    WatchDoor();
    if (ended) {
      Reap();
      return true;
    }
  }
  return false;
}

void ProgramProcess::SaysReady(absl::string_view how) {
  has_said_so_ = true;
  // Who inherits its listener need not listen(): this is how it says that it accepts.
  listens_ |= !preload();
  LogInfo(absl::StrCat("the program ", how));
  ReviewReady(MonotonicNow());
}

void ProgramProcess::OnSiteListens() {
  for (SidePort& port : side_ports_) port.Review();
  if (!site_.has_value() || !site_->listens()) return;
  const bool moved = std::exchange(moved_, false) && state_ == State::kServing;
  if (listens_ && !moved) return;
  listens_ = true;
  LogInfo(absl::StrCat("the program listens at ", site_->site().ToString(), ", in private"));
  if (moved) return events_.ready();
  const absl::Time now = MonotonicNow();
  settles_at_ = std::min(now + kSettlesAfter, late_at_);
  ReviewReady(now);
}

void ProgramProcess::OnSiteConnects(const net::Address& address) {
  if (!site_.has_value() || site_->listens() || !(site_->site() == address)) return;
  site_.reset();
  fresh_.clear();
  choice_.Forget();
}

void ProgramProcess::ReviewReady(absl::Time now) {
  const bool ready = listens_ && (options_.ready != exec::ReadyWhen::kSaysSo || has_said_so_);
  const bool certain = !preload() || choice_.certain() || has_said_so_ || now >= settles_at_;
  if (state_ != State::kStarting || !ready || !certain) return;
  choice_.Settle();
  state_ = State::kServing;
  events_.ready();
}

void ProgramProcess::OnTime(absl::Time now) {
  if (state_ != State::kStarting) return;
  if (!preload() && !listens_ && exec::WaitsAt(started_->child().pid(), {inherited_.get()})) {
    listens_ = true;
  }
  ReviewReady(now);
  if (state_ == State::kStarting && now >= late_at_ && !late_) {
    late_ = true;
    started_->child().KillGroup();
  }
}

// --- Its sockets ---

exec::ListenDoor::Events ProgramProcess::DoorEvents() {
  return {
      .may_bind = [this](exec::AskerId id, const exec::Wish& wish) { MayBind(id, wish); },
      .may_listen = [this](exec::AskerId id, const exec::Wish& wish, Fd) { MayListen(id, wish); },
      .listening = [](exec::AskerId, const net::Address&) {},
      .site_listens = [this](const net::Address&) { OnSiteListens(); },
      .site_connects = [this](const net::Address& address) { OnSiteConnects(address); }};
}

std::vector<uint16_t> ProgramProcess::NamedPorts() const {
  std::vector<uint16_t> named;
  if (options_.program_port != 0) return {options_.program_port};
  for (const SiteListener& one : place_.listeners) named.push_back(one.address.port());
  if (place_.where != SiteChoice::Where::kProgram) return named;
  for (const net::Address& one : place_.known) named.push_back(one.port());
  if (const std::optional<uint16_t> port = PortVariable(options_)) named.push_back(*port);
  return named;
}

void ProgramProcess::MayBind(exec::AskerId id, const exec::Wish& wish) {
  const WishedSite site = {.address = wish.address, .dual_stack = wish.dual_stack};
  if (choice_.Judge(site) == SiteChoice::Verdict::kOther) return ShareOther(id, wish);
  WantSite({id, site});
}

// It was not asked about when it was bound (port 0), or it is not the site: then it goes on as it is.
void ProgramProcess::MayListen(exec::AskerId id, const exec::Wish& wish) {
  const bool any_port = std::none_of(seen_.begin(), seen_.end(), [&](const net::Address& one) {
    return one.port() == wish.address.port();
  });
  const WishedSite site = {
      .address = wish.address, .dual_stack = wish.dual_stack, .any_port = any_port};
  if (any_port && choice_.Judge(site) != SiteChoice::Verdict::kOther) return WantSite({id, site});
  if (any_port && seen_.size() < kSeenMax) seen_.push_back(wish.address);
  if (told_.size() < kSeenMax && std::count(told_.begin(), told_.end(), wish.address) == 0) {
    told_.push_back(wish.address);
    LogInfo(absl::StrCat(
        "the program listens at ", wish.address.ToString(), " as well, by itself",
        site_.has_value() ? absl::StrCat(": its site is ", site_->site().ToString()) : ""));
  }
  door_->LeaveAlone(id);
}

void ProgramProcess::WantSite(const Asked& asked) {
  if (place_.where != SiteChoice::Where::kProgram) return GiveSite(asked, Fd());
  const net::Address& address = asked.wish.address;
  for (const SiteListener& one : place_.listeners) {
    if (!Covers(one, asked.wish)) continue;
    if (!(one.address == address)) {
      LogWarning(absl::StrCat("the program asks for ", address.ToString(),
                              ", and the cluster goes on listening at ", one.address.ToString(),
                              ", as it has before; stop it and start it again to change that"));
    }
    return GiveSite(asked, Fd());
  }
  if (!asked.wish.any_port && address.port() < exec::PortLeast(options_)) {
    return Refuse(asked, EACCES,
                  absl::StrCat(address.ToString(),
                               ": a privileged port; with --user a program gets it only from ",
                               "--listen=", address.ToString()));
  }
  if (claims_.size() >= link::kAddressesMax || ordinals_.size() >= link::kAddressesMax) {
    return door_->LeaveAlone(asked.id);
  }
  link::Claim claim;
  claim.address = (asked.wish.any_port ? AnyPortOf(address) : address).ToString();
  claim.dual_stack = asked.wish.dual_stack;
  if (asked.wish.any_port) claim.ordinal = ordinals_[claim.address]++;
  const uint32_t id = events_.claim(claim);
  claims_.emplace(id, asked);
  if (id == 0) OnCoordinatorGone();
}

void ProgramProcess::OnClaimed(const link::Claimed& claimed, Fd listener) {
  const auto found = claims_.find(claimed.id);
  if (found == claims_.end()) return;
  Asked asked = found->second;
  claims_.erase(found);
  if (claimed.error != 0) return Refuse(asked, static_cast<int>(claimed.error), claimed.address);
  const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
  if (!address.ok()) return Refuse(asked, EADDRINUSE, "the coordinator has no listener for it");
  asked.wish.address = *address;
  GiveSite(asked, std::move(listener));
}

void ProgramProcess::OnCoordinatorGone() {
  for (const auto& [id, asked] : std::exchange(claims_, {})) {
    net::ListenOptions options;
    options.dual_stack = asked.wish.dual_stack;
    const net::Address& wished = asked.wish.address;
    absl::StatusOr<Fd> bound = net::Bind(asked.wish.any_port ? AnyPortOf(wished) : wished, options);
    if (!bound.ok()) {
      Refuse(asked, EADDRINUSE, bound.status().message());
      continue;
    }
    Asked had = asked;
    if (const absl::StatusOr<net::Address> local = net::LocalAddress(*bound); local.ok()) {
      had.wish.address = *local;
    }
    GiveSite(had, *std::move(bound));
  }
}

void ProgramProcess::Refuse(const Asked& asked, int error, absl::string_view why) {
  refusal_ = std::string(why);
  LogWarning(absl::StrCat("the program cannot have an address: ", why));
  door_->Fail(asked.id, error);
}

void ProgramProcess::GiveSite(const Asked& asked, Fd listener) {
  const SiteChoice::Verdict verdict = choice_.Judge(asked.wish);
  if (verdict == SiteChoice::Verdict::kOther) {  // a better one has come while it was asked for
    return listener.valid() ? door_->TakeThis(asked.id, listener.get())
                            : door_->LeaveAlone(asked.id);
  }
  if (verdict == SiteChoice::Verdict::kInstead) Revoke();
  // Others of the same port (IPv4 and IPv6, a child that binds again) accept from the same one.
  if (!site_.has_value()) {
    absl::StatusOr<PrivateListener> made = PrivateListener::Make(asked.wish.address);
    if (!made.ok()) {
      LogError(made.status().message());
      return door_->Fail(asked.id, EADDRNOTAVAIL);
    }
    site_.emplace(*std::move(made));
    endpoint_.emplace(site_->endpoint());
  }
  choice_.Choose(asked.wish);
  const auto covered = [&](const SiteListener& one) { return Covers(one, asked.wish); };
  const bool present = std::any_of(place_.listeners.begin(), place_.listeners.end(), covered) ||
                       std::any_of(fresh_.begin(), fresh_.end(),
                                   [&](const auto& one) { return covered(one.first); });
  if (listener.valid() && !present) {
    fresh_.emplace_back(SiteListener{asked.wish.address, asked.wish.dual_stack},
                        std::move(listener));
  }
  door_->TakeThis(asked.id, site_->fd());
  if (state_ == State::kServing && !fresh_.empty()) events_.more_listeners();
}

std::vector<Fd> ProgramProcess::TakeListeners() {
  std::vector<Fd> taken;
  for (auto& [listener, fd] : std::exchange(fresh_, {})) {
    place_.listeners.push_back(listener);
    taken.push_back(std::move(fd));
  }
  return taken;
}

void ProgramProcess::Revoke() {
  const net::Address& former = site_->site();
  std::vector<Fd> listeners;
  for (auto& [listener, fd] : std::exchange(fresh_, {})) listeners.push_back(std::move(fd));
  if (place_.where != SiteChoice::Where::kProgram && former.port() >= exec::PortLeast(options_)) {
    absl::StatusOr<Fd> bound = net::Bind(former, {});
    if (bound.ok()) listeners.push_back(*std::move(bound));
  }
  LogInfo(absl::StrCat("the program's ", former.ToString(), " is not its site",
                       listeners.empty() ? "" : "; what connects there is passed on as it is"));
  side_ports_.emplace_back(*std::move(site_), std::move(listeners));
  site_.reset();
  Watch(side_ports_.back().fd());
  moved_ = state_ == State::kServing;
  if (!moved_) listens_ = false;
}

void ProgramProcess::ShareOther(exec::AskerId id, const exec::Wish& wish) {
  if (seen_.size() < kSeenMax) seen_.push_back(wish.address);
  if (wish.address.port() < exec::PortLeast(options_)) return door_->LeaveAlone(id);
  net::ListenOptions options;
  options.dual_stack = wish.dual_stack;
  const absl::StatusOr<Fd> shared = net::Bind(wish.address, options);
  if (!shared.ok()) return door_->LeaveAlone(id);  // it sees for itself why
  door_->TakeThis(id, shared->get());
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
                    Join(absl::MakeConstSpan(seen_).subspan(0, kSeenShown)),
                    ", which is not taken for it (--listen names the port)");
  }
  if (late_ && !listens_ && seen_.empty() && options_.ready == exec::ReadyWhen::kListens) {
    absl::StrAppend(&text, "; one that serves nobody runs without --front, with --ready=start");
  }
  if (!refusal_.empty()) absl::StrAppend(&text, ": ", refusal_);
  return text;
}

}  // namespace uc::front
