#include "core/front/program_site.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/log.h"
#include "core/exec/environment.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

constexpr size_t kSeenMax = 64;
// A guess of the site is one so long: of a program that nobody has run in this cluster before.
constexpr absl::Duration kSettlesAfter = absl::Seconds(1);

// The same address with port 0.
net::Address AnyPortOf(const net::Address& address) {
  sockaddr_storage storage = {};
  memcpy(&storage, address.get(), address.size());
  // The port of both is at one place.
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port = 0;
  return net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), address.size());
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

ProgramSite::ProgramSite(const exec::LaunchOptions& options, Place place, exec::ListenDoor& door,
                         Events events)
    : options_(options),
      place_(std::move(place)),
      door_(door),
      events_(std::move(events)),
      choice_(place_.where, NamedPorts()) {}

std::vector<uint16_t> ProgramSite::NamedPorts() const {
  std::vector<uint16_t> named;
  if (options_.program_port != 0) return {options_.program_port};
  for (const SiteListener& one : place_.listeners) named.push_back(one.address.port());
  if (place_.where != SiteChoice::Where::kProgram) return named;
  for (const net::Address& one : place_.known) named.push_back(one.port());
  if (const std::optional<uint16_t> port = PortVariable(options_)) named.push_back(*port);
  return named;
}

std::optional<uint16_t> ProgramSite::port() const {
  if (options_.program_port != 0) return options_.program_port;
  if (place_.where == SiteChoice::Where::kProgram || place_.listeners.empty()) return std::nullopt;
  return place_.listeners.front().address.port();
}

// --- What the program says ---

void ProgramSite::MayBind(exec::AskerId id, const exec::Wish& wish) {
  const WishedSite site = {.address = wish.address, .dual_stack = wish.dual_stack};
  if (choice_.Judge(site) == SiteChoice::Verdict::kOther) return ShareOther(id, wish);
  Want({id, site});
}

// It was not asked about when it was bound (port 0), or it is not the site: then it goes on as it is.
void ProgramSite::MayListen(exec::AskerId id, const exec::Wish& wish) {
  const bool any_port = std::none_of(seen_.begin(), seen_.end(), [&](const net::Address& one) {
    return one.port() == wish.address.port();
  });
  const WishedSite site = {
      .address = wish.address, .dual_stack = wish.dual_stack, .any_port = any_port};
  if (any_port && choice_.Judge(site) != SiteChoice::Verdict::kOther) return Want({id, site});
  if (any_port && seen_.size() < kSeenMax) seen_.push_back(wish.address);
  if (told_.size() < kSeenMax && std::count(told_.begin(), told_.end(), wish.address) == 0) {
    told_.push_back(wish.address);
    LogInfo(absl::StrCat(
        "the program listens at ", wish.address.ToString(), " as well, by itself",
        site_.has_value() ? absl::StrCat(": its site is ", site_->site().ToString()) : ""));
  }
  door_.LeaveAlone(id);
}

ProgramSite::Listening ProgramSite::OnListens(absl::Time now) {
  for (SidePort& port : side_ports_) port.Review();
  if (!site_.has_value() || !site_->listens()) return Listening::kAsBefore;
  const bool moved = std::exchange(moved_, false);
  if (listens_ && !moved) return Listening::kAsBefore;
  former_.reset();
  listens_ = true;
  settles_at_ = now + kSettlesAfter;
  LogInfo(absl::StrCat("the program listens at ", site_->site().ToString(), ", in private"));
  return moved ? Listening::kElsewhere : Listening::kBegun;
}

void ProgramSite::OnConnects(const net::Address& address) {
  if (!site_.has_value() || site_->listens() || !(site_->site() == address)) return;
  site_.reset();
  fresh_.clear();
  choice_.Forget();
}

bool ProgramSite::OnReadable(int fd) {
  const auto port = std::find_if(side_ports_.begin(), side_ports_.end(),
                                 [fd](const SidePort& one) { return one.fd() == fd; });
  if (port == side_ports_.end()) return false;
  port->OnReadable();
  return true;
}

// --- The site ---

void ProgramSite::Want(const Asked& asked) {
  if (place_.where != SiteChoice::Where::kProgram) return Give(asked, Fd());
  const net::Address& address = asked.wish.address;
  for (const SiteListener& one : place_.listeners) {
    if (!Covers(one, asked.wish)) continue;
    if (!(one.address == address)) {
      LogWarning(absl::StrCat("the program asks for ", address.ToString(),
                              ", and the cluster goes on listening at ", one.address.ToString(),
                              ", as it has before; stop it and start it again to change that"));
    }
    return Give(asked, Fd());
  }
  if (IsCovered(asked.wish)) return Give(asked, Fd());  // by what was claimed a moment ago
  if (!asked.wish.any_port && address.port() < exec::PortLeast(options_)) {
    return Refuse(asked, EACCES,
                  absl::StrCat(address.ToString(),
                               ": a privileged port; with --user a program gets it only from ",
                               "--listen=", address.ToString()));
  }
  if (claims_.size() >= link::kAddressesMax || ordinals_.size() >= link::kAddressesMax) {
    return door_.LeaveAlone(asked.id);
  }
  link::Claim claim;
  claim.address = (asked.wish.any_port ? AnyPortOf(address) : address).ToString();
  claim.dual_stack = asked.wish.dual_stack;
  if (asked.wish.any_port) claim.ordinal = ordinals_[claim.address]++;
  const uint32_t id = events_.claim(claim);
  claims_.emplace(id, asked);
  if (id == 0) OnCoordinatorGone();
}

void ProgramSite::OnClaimed(const link::Claimed& claimed, Fd listener) {
  const auto found = claims_.find(claimed.id);
  if (found == claims_.end()) return;
  Asked asked = found->second;
  claims_.erase(found);
  if (claimed.error != 0) return Refuse(asked, static_cast<int>(claimed.error), claimed.address);
  const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
  if (!address.ok()) return Refuse(asked, EADDRINUSE, "the coordinator has no listener for it");
  asked.wish.address = *address;
  Give(asked, std::move(listener));
}

void ProgramSite::OnCoordinatorGone() {
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
    Give(had, *std::move(bound));
  }
}

void ProgramSite::Refuse(const Asked& asked, int error, absl::string_view why) {
  refusal_ = std::string(why);
  LogWarning(absl::StrCat("the program cannot have an address: ", why));
  door_.Fail(asked.id, error);
}

void ProgramSite::Give(const Asked& asked, Fd listener) {
  const SiteChoice::Verdict verdict = choice_.Judge(asked.wish);
  if (verdict == SiteChoice::Verdict::kOther) {  // a better one has come while it was asked for
    return listener.valid() ? door_.TakeThis(asked.id, listener.get()) : door_.LeaveAlone(asked.id);
  }
  if (verdict == SiteChoice::Verdict::kInstead) Revoke();
  // A TCP socket would listen again after a shutdown(2), as the program wants it; the private one never does.
  if (site_.has_value() && site_->IsShutDown()) {
    former_ = std::exchange(site_, std::nullopt);
    moved_ = settled_;
    if (!moved_) listens_ = false;
  }
  // Others of the same port (IPv4 and IPv6, a child that binds again) accept from the same one.
  if (!site_.has_value()) {
    absl::StatusOr<PrivateListener> made = PrivateListener::Make(asked.wish.address);
    if (!made.ok()) {
      LogError(made.status().message());
      return door_.Fail(asked.id, EADDRNOTAVAIL);
    }
    site_.emplace(*std::move(made));
  }
  choice_.Choose(asked.wish);
  if (listener.valid() && !IsCovered(asked.wish)) {
    fresh_.emplace_back(SiteListener{asked.wish.address, asked.wish.dual_stack},
                        std::move(listener));
  }
  door_.TakeThis(asked.id, site_->fd());
  if (settled_ && !fresh_.empty()) events_.more_listeners();
}

bool ProgramSite::IsCovered(const WishedSite& wish) const {
  const auto covers = [&](const SiteListener& one) { return Covers(one, wish); };
  return std::any_of(place_.listeners.begin(), place_.listeners.end(), covers) ||
         std::any_of(fresh_.begin(), fresh_.end(),
                     [&](const auto& one) { return covers(one.first); });
}

std::vector<Fd> ProgramSite::TakeListeners() {
  std::vector<Fd> taken;
  for (auto& [listener, fd] : std::exchange(fresh_, {})) {
    place_.listeners.push_back(listener);
    taken.push_back(std::move(fd));
  }
  return taken;
}

void ProgramSite::Revoke() {
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
  events_.watch(side_ports_.back().fd());
  moved_ = settled_;
  if (!moved_) listens_ = false;
}

void ProgramSite::ShareOther(exec::AskerId id, const exec::Wish& wish) {
  if (seen_.size() < kSeenMax) seen_.push_back(wish.address);
  if (wish.address.port() < exec::PortLeast(options_)) return door_.LeaveAlone(id);
  net::ListenOptions options;
  options.dual_stack = wish.dual_stack;
  const absl::StatusOr<Fd> shared = net::Bind(wish.address, options);
  if (!shared.ok()) return door_.LeaveAlone(id);  // it sees for itself why
  door_.TakeThis(id, shared->get());
}

}  // namespace uc::front
