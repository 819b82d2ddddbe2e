#include "core/coordinator/spread.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/core_pin.h"
#include "core/base/log.h"
#include "core/net/listener.h"
#include "core/net/random_steering.h"

namespace uc::coordinator {

void Spread::Begin(policy::SlotIndex slot) {
  PreferOwnCore(slot);
  SpreadByChance();
  const bool more = mode_.steering.has_value() && late() && slot < net::kSteeredSlotsMax &&
                    mode_.steering->Read(slot).live;
  if (!more) return;
  for (const net::Steering::Placed& one : PlacedOf(slot)) {
    const absl::Status status = mode_.steering->Add(slot, one);
    if (!status.ok()) LogError(absl::StrCat("slot ", slot, ": ", status.message()));
  }
}

void Spread::SetLive(policy::SlotIndex slot, bool live) {
  if (!mode_.steering.has_value()) {  // then its listener is what makes it live
    SpreadByChance();
    return;
  }
  if (live && late()) {
    // Without a place the kernel's hash finds its listeners.
    const std::vector<net::Steering::Placed> placed = PlacedOf(slot);
    if (placed.empty()) return;
    if (absl::Status status = mode_.steering->Put(slot, placed); !status.ok()) {
      LogError(absl::StrCat("slot ", slot, " is not steered to: ", status.message()));
      return;
    }
  } else if (live) {
    if (absl::Status status = mode_.steering->Put(slot, listeners_.FixedOf(slot)); !status.ok()) {
      LogError(absl::StrCat("slot ", slot, " gets no new connections: ", status.message()));
      return;
    }
  }
  mode_.steering->SetLive(slot, live);
}

std::vector<net::Steering::Placed> Spread::PlacedOf(policy::SlotIndex slot) {
  std::vector<net::Steering::Placed> placed;
  for (const Fd& socket : listeners_.Of(slot)) {
    const absl::StatusOr<net::Address> address = net::LocalAddress(socket);
    if (!address.ok()) continue;
    const std::optional<size_t> place = PlaceOf(*address);
    if (place.has_value()) placed.push_back({*place, socket.get()});
  }
  return placed;
}

std::optional<size_t> Spread::PlaceOf(const net::Address& address) {
  RecoverPlaces();
  const auto is = [](const net::Address& one) {
    return [&one](const std::optional<net::Address>& place) {
      return place.has_value() && *place == one;
    };
  };
  auto found = std::find_if(places_.begin(), places_.end(), is(address));
  if (found == places_.end()) {
    found = std::find(places_.begin(), places_.end(), std::nullopt);
    if (found == places_.end()) return std::nullopt;
    *found = address;
  }
  return static_cast<size_t>(found - places_.begin());
}

// Of a former coordinator: by the sockets that are there.
void Spread::RecoverPlaces() {
  if (!places_.empty()) return;
  places_.resize(mode_.steering->addresses());
  for (const auto& [slot, sockets] : listeners_.all()) {
    for (const Fd& socket : sockets) {
      const absl::StatusOr<net::Address> address = net::LocalAddress(socket);
      const std::optional<size_t> place = mode_.steering->PlaceOf(slot, socket.get());
      if (address.ok() && place.has_value()) places_[*place] = *address;
    }
  }
}

void Spread::End(policy::SlotIndex slot) {
  if (mode_.steering.has_value()) mode_.steering->Remove(slot);
  SpreadByChance();
}

void Spread::Forget(policy::SlotIndex slot, uint32_t connections) {
  if (!mode_.steering.has_value() || slot >= net::kSteeredSlotsMax) return;
  mode_.steering->ForgetLoad(slot, connections);
}

void Spread::ForgetAll(policy::SlotIndex slot) {
  if (!mode_.steering.has_value() || slot >= net::kSteeredSlotsMax) return;
  mode_.steering->ForgetAllLoad(slot);
}

std::vector<int> Spread::descriptors() const {
  return mode_.steering.has_value() ? mode_.steering->descriptors() : std::vector<int>();
}

const net::Steering* Spread::counting() const {
  // The other ways of balancing do not count what they have sent.
  const bool counted =
      mode_.steering.has_value() && mode_.balance == net::Balance::kLeastConnections;
  return counted ? &*mode_.steering : nullptr;
}

void Spread::PreferOwnCore(policy::SlotIndex slot) {
  if (cores_ != Cores::kPinned || mode_.balance != net::Balance::kHash) return;
  const int core = CoreOfSlot(AllowedCores(), slot);
  for (const int listener : listeners_.DescriptorsOf(slot)) {
    if (setsockopt(listener, SOL_SOCKET, SO_INCOMING_CPU, &core, sizeof(core)) != 0) {
      LogWarning(absl::StrCat("slot ", slot, ": SO_INCOMING_CPU: ", strerror(errno)));
    }
  }
}

void Spread::SpreadByChance() {
  if (mode_.steering.has_value() || mode_.balance != net::Balance::kRandom) return;
  struct Group {
    const Fd* any = nullptr;
    uint32_t listening = 0;
  };
  std::map<std::string, Group> groups;  // one of each address
  for (const auto& [slot, sockets] : listeners_.all()) {
    for (const Fd& socket : sockets) {
      const absl::StatusOr<net::Address> address = net::LocalAddress(socket);
      if (!address.ok() || !net::Listens(socket)) continue;
      Group& group = groups[address->ToString()];
      group.any = &socket;
      ++group.listening;
    }
  }
  for (const auto& [address, group] : groups) {
    const absl::Status status = net::AttachRandom(*group.any, group.listening);
    if (!status.ok()) LogWarning(absl::StrCat("--balance=random: ", status.message()));
  }
}

}  // namespace uc::coordinator
