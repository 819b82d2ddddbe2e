#include "core/coordinator/claims.h"

#include <errno.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/net/address_use.h"
#include "core/net/listener.h"

namespace uc::coordinator {
namespace {

std::string WishOf(const link::Claim& claim) {
  return absl::StrCat(claim.address, " ", claim.ordinal, claim.dual_stack ? " dual" : " single");
}

net::ListenOptions OptionsOf(bool dual_stack) {
  net::ListenOptions options;
  options.dual_stack = dual_stack;
  return options;
}

}  // namespace

bool Claims::HoldsPort(uint16_t port) const {
  return port != 0 && std::any_of(held_.begin(), held_.end(),
                                  [port](const Held& held) { return held.address.port() == port; });
}

absl::StatusOr<net::Address> Claims::Take(const link::Claim& claim, absl::Time now,
                                          BesideHeld beside) {
  const std::string wish = WishOf(claim);
  const auto known =
      std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return held.wish == wish; });
  if (known != held_.end()) {
    if (known->look_at != absl::InfiniteFuture()) known->look_at = now + kGiveBackAfter;
    return known->address;
  }
  const absl::StatusOr<net::Address> address = net::Address::Parse(claim.address);
  if (!address.ok()) return address.status();
  if (held_.size() >= link::kAddressesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a cluster has at most ", link::kAddressesMax, " addresses"));
  }
  const net::ListenOptions options = OptionsOf(claim.dual_stack);
  // The probe cannot tell our own sockets from those of others.
  const bool own = beside == BesideHeld::kYes && HoldsPort(address->port());
  const absl::Status free = own ? absl::OkStatus() : net::ProbeFree(*address, options);
  if (!free.ok()) return free;
  absl::StatusOr<Fd> socket = net::Bind(*address, options);
  if (!socket.ok()) return socket.status();
  const absl::StatusOr<net::Address> local = net::LocalAddress(*socket);
  if (!local.ok()) return local.status();
  held_.push_back({wish, *local, *std::move(socket), now + kGiveBackAfter});
  return *local;
}

link::Claimed Claims::Answer(const link::Claim& claim, absl::Time now, BesideHeld beside) {
  link::Claimed answer;
  answer.id = claim.id;
  const absl::StatusOr<net::Address> address = Take(claim, now, beside);
  if (address.ok()) {
    answer.address = address->ToString();
  } else {
    answer.error = absl::IsPermissionDenied(address.status())  ? EACCES
                   : absl::IsOutOfRange(address.status())      ? EINVAL
                   : absl::IsInvalidArgument(address.status()) ? EADDRNOTAVAIL
                                                               : EADDRINUSE;
    answer.address = std::string(address.status().message());
  }
  return answer;
}

void Claims::Listened(const net::Address& address) {
  for (Held& held : held_) {
    if (held.address == address) held.look_at = absl::InfiniteFuture();
  }
}

absl::Time Claims::due() const {
  absl::Time due = absl::InfiniteFuture();
  for (const Held& held : held_) due = std::min(due, held.look_at);
  return due;
}

// By the kernel's word: our own claim is out of the way while it is asked.
bool Claims::IsNeeded(Held& held) {
  const bool dual_stack = absl::EndsWith(held.wish, " dual");
  held.socket.Reset();
  if (net::IsUnused(held.address, dual_stack)) return false;
  absl::StatusOr<Fd> socket = net::Bind(held.address, OptionsOf(dual_stack));
  if (!socket.ok()) return false;  // of somebody else
  held.socket = *std::move(socket);
  return true;
}

std::vector<net::Address> Claims::GiveBack(absl::Time now) {
  std::vector<net::Address> given_back;
  for (auto held = held_.begin(); held != held_.end();) {
    const bool due = held->look_at <= now;
    if (due) held->look_at = now + kGiveBackAfter;
    if (!due || IsNeeded(*held)) {
      ++held;
      continue;
    }
    given_back.push_back(held->address);
    held = held_.erase(held);
  }
  return given_back;
}

std::vector<net::Address> Claims::addresses() const {
  std::vector<net::Address> all;
  for (const Held& held : held_) {
    if (std::count(all.begin(), all.end(), held.address) == 0) all.push_back(held.address);
  }
  return all;
}

std::string Claims::ToText() const {
  return absl::StrJoin(held_, ",", [](std::string* out, const Held& held) {
    absl::StrAppend(out, held.wish, " ", held.address.ToString());
  });
}

void Claims::Restore(absl::string_view text, absl::Time now) {
  for (const absl::string_view entry : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(entry, ' ');
    if (words.size() != 4) continue;
    const absl::StatusOr<net::Address> address = net::Address::Parse(words[3]);
    if (!address.ok()) continue;
    absl::StatusOr<Fd> socket = net::Bind(*address, OptionsOf(words[2] == "dual"));
    held_.push_back({absl::StrCat(words[0], " ", words[1], " ", words[2]), *address,
                     socket.ok() ? *std::move(socket) : Fd(), now + kGiveBackAfter});
  }
}

}  // namespace uc::coordinator
