#include "core/exec/slot_listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace uc::exec {
namespace {

net::ListenOptions OptionsOf(const Wish& wish) {
  net::ListenOptions options;
  options.dual_stack = wish.dual_stack;
  return options;
}

}  // namespace

SlotListeners::SlotListeners(std::vector<net::Address> cluster, std::vector<Fd> own,
                             Outward outward, uint16_t port_least)
    : cluster_(std::move(cluster)),
      port_least_(port_least),
      taken_(cluster_.size()),
      outward_(std::move(outward)) {
  for (Fd& fd : own) {
    absl::StatusOr<net::Address> address = net::LocalAddress(fd);
    if (address.ok()) own_.push_back({*address, std::move(fd)});
  }
}

std::vector<int> SlotListeners::descriptors() const {
  std::vector<int> all;
  for (const Own& own : own_) all.push_back(own.fd.get());
  return all;
}

uint32_t SlotListeners::Waiting() const {
  uint32_t waiting = 0;
  for (const Own& own : own_) {
    // Of a listener: tcpi_unacked is the length of its accept queue (tcp_get_info in net/ipv4/tcp.c).
    tcp_info info = {};
    socklen_t size = sizeof(info);
    if (getsockopt(own.fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
        info.tcpi_state == TCP_LISTEN) {
      waiting += info.tcpi_unacked;
    }
  }
  return waiting;
}

const SlotListeners::Own* SlotListeners::Find(const net::Address& address) const {
  const auto found = std::find_if(own_.begin(), own_.end(),
                                  [&](const Own& own) { return own.address == address; });
  return found == own_.end() ? nullptr : &*found;
}

std::optional<size_t> SlotListeners::InCluster(const net::Address& wished) {
  const auto take = [&](size_t place) {
    taken_[place] = wished;
    return place;
  };
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (wished.port() != 0 && cluster_[i].port() == wished.port() &&
        (!taken_[i].has_value() || *taken_[i] == wished || cluster_[i] == wished)) {
      return take(i);
    }
  }
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (taken_[i].has_value() && *taken_[i] == wished && wished.port() != 0) return i;
  }
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (!taken_[i].has_value()) return take(i);
  }
  for (size_t i = 0; i < cluster_.size(); ++i) {  // any port, once more
    if (*taken_[i] == wished) return i;
  }
  return std::nullopt;
}

void SlotListeners::MayBind(ListenDoor& door, AskerId asker, const Wish& wish) {
  const std::optional<size_t> place = InCluster(wish.address);
  if (place.has_value()) return Give(door, {asker, wish, false}, cluster_[*place]);
  Ask(door, {asker, wish, false});
}

void SlotListeners::MayListen(ListenDoor& door, AskerId asker, const Wish& wish, Fd own) {
  if (const Own* const found = Find(wish.address)) return door.TakeThis(asker, found->fd.get());
  if (wish.address.port() == 0) {
    const std::optional<size_t> place = InCluster(wish.address);
    if (place.has_value()) return Give(door, {asker, wish, true}, cluster_[*place]);
    return Ask(door, {asker, wish, true});
  }
  // What it got from us when it bound is the slot's from now on; what it got elsewhere is not.
  const auto given = std::find(given_.begin(), given_.end(), wish.address);
  const absl::StatusOr<net::Address> local = net::LocalAddress(own);
  if (given == given_.end() || !local.ok() || !(*local == wish.address)) {
    return door.LeaveAlone(asker);
  }
  given_.erase(given);
  outward_.bound(own.get());
  own_.push_back({wish.address, std::move(own)});
  door.KeepYours(asker);
}

bool SlotListeners::IsPrivileged(uint16_t port) const {
  return port != 0 && port < port_least_ &&
         std::none_of(cluster_.begin(), cluster_.end(),
                      [port](const net::Address& one) { return one.port() == port; });
}

void SlotListeners::Ask(ListenDoor& door, Pending pending) {
  if (IsPrivileged(pending.wish.address.port())) {
    return Refuse(door, pending.asker, EACCES,
                  absl::StrCat(pending.wish.address.ToString(),
                               ": a privileged port; with --user a program gets it only from ",
                               "--listen=", pending.wish.address.ToString()));
  }
  if (own_.size() + pending_.size() >= link::kAddressesMax ||
      ordinals_.size() >= link::kAddressesMax) {
    return door.LeaveAlone(pending.asker);
  }
  link::Claim claim;
  claim.id = ++last_claim_;
  claim.address = pending.wish.address.ToString();
  claim.dual_stack = pending.wish.dual_stack;
  if (pending.wish.address.port() == 0) claim.ordinal = ordinals_[claim.address]++;
  pending_.emplace(claim.id, pending);
  if (outward_.claim(claim)) return;
  // Without a coordinator it is as if there were no cluster; whoever comes learns of the listener.
  Claimed(door, {claim.id, 0, claim.address});
}

void SlotListeners::Claimed(ListenDoor& door, const link::Claimed& claimed) {
  const auto found = pending_.find(claimed.id);
  if (found == pending_.end()) return;
  const Pending pending = found->second;
  pending_.erase(found);
  if (claimed.error != 0) {
    return Refuse(door, pending.asker, static_cast<int>(claimed.error), claimed.address);
  }
  const absl::StatusOr<net::Address> address = net::Address::Parse(claimed.address);
  if (!address.ok()) return door.LeaveAlone(pending.asker);
  Give(door, pending, *address);
}

void SlotListeners::Give(ListenDoor& door, const Pending& pending, const net::Address& address) {
  const Own* const present = Find(address);
  if (pending.listen && present != nullptr) {
    return door.TakeThis(pending.asker, present->fd.get());
  }
  absl::StatusOr<Fd> fresh = net::Bind(address, OptionsOf(pending.wish));
  if (!fresh.ok()) {
    return Refuse(door, pending.asker, EADDRINUSE, std::string(fresh.status().message()));
  }
  door.TakeThis(pending.asker, fresh->get());
  const absl::StatusOr<net::Address> local = net::LocalAddress(*fresh);
  if (!local.ok()) return;
  if (!pending.listen) {  // it may be a client; if not, it comes back with it
    if (std::count(given_.begin(), given_.end(), *local) == 0) given_.push_back(*local);
    if (given_.size() > link::kAddressesMax) given_.erase(given_.begin());
    return;
  }
  outward_.bound(fresh->get());
  own_.push_back({*local, *std::move(fresh)});
}

void SlotListeners::Refuse(ListenDoor& door, AskerId asker, int error, const std::string& why) {
  refusal_ = why;
  LogWarning(absl::StrCat("the program cannot have an address: ", why));
  door.Fail(asker, error);
}

}  // namespace uc::exec
