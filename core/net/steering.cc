#include "core/net/steering.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <atomic>
#include <bitset>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/net/slot_load.h"
#include "core/net/steering_counts.h"
#include "core/net/steering_program.h"

namespace uc::net {
namespace {

constexpr Balance kBalances[] = {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kRandom,
                                 Balance::kHash};
constexpr size_t kDescriptorsPerAddress = 2;

// What the map says is in the slot; 0: nothing.
uint64_t CookieIn(const Fd& sockets, uint32_t slot) {
  uint64_t cookie = 0;
  return bpf_map_lookup_elem(sockets.get(), &slot, &cookie) == 0 ? cookie : 0;
}

uint64_t CookieOf(int socket) {
  uint64_t cookie = 0;
  socklen_t bytes = sizeof(cookie);
  return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) == 0 ? cookie : 0;
}

absl::Status PutOne(const SteeringProgram& address, uint32_t slot, int listener) {
  // A socket is in one place of one map at most: putting it once more is EBUSY.
  const uint64_t cookie = CookieOf(listener);
  const bool there = cookie != 0 && CookieIn(address.sockets, slot) == cookie;
  const uint64_t value = static_cast<uint64_t>(listener);
  if (!there && bpf_map_update_elem(address.sockets.get(), &slot, &value, BPF_ANY) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("its listener cannot be steered to: ", strerror(errno)));
  }
  const int program = address.program.get();
  if (setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the steering program cannot be attached: ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view ToString(Balance balance) {
  switch (balance) {
    case Balance::kLeastConnections:
      return "least-connections";
    case Balance::kRoundRobin:
      return "round-robin";
    case Balance::kRandom:
      return "random";
    case Balance::kHash:
      return "hash";
  }
  return "?";
}

absl::StatusOr<Balance> ParseBalance(absl::string_view text) {
  for (const Balance balance : kBalances) {
    if (text == ToString(balance)) return balance;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--balance=", text.substr(0, 40),
                   ": expected least-connections, round-robin, random or hash"));
}

struct Steering::Parts {
  SlotState& At(uint32_t slot) const {
    UC_CHECK(slot < kSteeredSlotsMax);
    return state->slot[slot];
  }
  // The program looks no further than the highest slot that is put.
  void SetSlots() const {
    uint32_t slots = kSteeredSlotsMax;
    while (slots > 0 && !put[slots - 1]) --slots;
    std::atomic_ref(state->slots).store(slots);
  }

  Balance balance = Balance::kHash;
  SteeringPrograms programs;
  MappedState state;
  std::bitset<kSteeredSlotsMax> put;
};

Steering::Steering(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Steering::Steering(Steering&&) noexcept = default;
Steering& Steering::operator=(Steering&&) noexcept = default;
Steering::~Steering() = default;

absl::StatusOr<Steering> Steering::Load(Balance balance, size_t addresses) {
  absl::StatusOr<SteeringPrograms> programs = LoadSteeringPrograms(balance, addresses);
  if (!programs.ok()) return programs.status();
  absl::StatusOr<MappedState> state = MapSteeringState(programs->state);
  if (!state.ok()) return absl::FailedPreconditionError(state.status().message());
  (*state)->version = kSteeringVersion;
  (*state)->balance = static_cast<uint32_t>(balance);
  (*state)->last = UINT32_MAX;  // slot 0 is the first
  auto parts = std::make_unique<Parts>();
  parts->balance = balance;
  parts->programs = *std::move(programs);
  parts->state = *std::move(state);
  return Steering(std::move(parts));
}

absl::StatusOr<Steering> Steering::Recover(std::vector<Fd> descriptors) {
  if (descriptors.size() < 1 + kDescriptorsPerAddress ||
      descriptors.size() % kDescriptorsPerAddress != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat(descriptors.size(), " descriptors cannot be those of steering"));
  }
  auto parts = std::make_unique<Parts>();
  parts->programs.state = std::move(descriptors[0]);
  if (absl::Status status = CheckStateMap(parts->programs.state); !status.ok()) return status;
  absl::StatusOr<MappedState> state = MapSteeringState(parts->programs.state);
  if (!state.ok()) return absl::FailedPreconditionError(state.status().message());
  parts->state = *std::move(state);
  if (parts->state->version != kSteeringVersion || parts->state->balance >= std::size(kBalances)) {
    return absl::FailedPreconditionError(absl::StrCat("steering of version ", parts->state->version,
                                                      ", this is ", int{kSteeringVersion},
                                                      ": stop the cluster and start it anew"));
  }
  parts->balance = kBalances[parts->state->balance];
  for (size_t i = 1; i < descriptors.size(); i += kDescriptorsPerAddress) {
    SteeringProgram program{std::move(descriptors[i]), std::move(descriptors[i + 1])};
    if (absl::Status status = CheckProgram(parts->programs.state, program, parts->balance);
        !status.ok()) {
      return status;
    }
    parts->programs.addresses.push_back(std::move(program));
  }
  for (uint32_t slot = 0; slot < kSteeredSlotsMax; ++slot) {
    for (const SteeringProgram& address : parts->programs.addresses) {
      parts->put[slot] = parts->put[slot] || CookieIn(address.sockets, slot) != 0;
    }
  }
  return Steering(std::move(parts));
}

Balance Steering::balance() const { return parts_->balance; }

size_t Steering::addresses() const { return parts_->programs.addresses.size(); }

std::vector<int> Steering::descriptors() const {
  std::vector<int> descriptors = {state_map()};
  for (const SteeringProgram& address : parts_->programs.addresses) {
    descriptors.push_back(address.sockets.get());
    descriptors.push_back(address.program.get());
  }
  return descriptors;
}

int Steering::state_map() const { return parts_->programs.state.get(); }

absl::Status Steering::Put(uint32_t slot, absl::Span<const Fd> listeners) {
  std::vector<Placed> placed;
  for (size_t i = 0; i < listeners.size(); ++i) placed.push_back({i, listeners[i].get()});
  if (placed.size() == addresses() || slot >= kSteeredSlotsMax) return Put(slot, placed);
  SetLive(slot, false);
  return absl::FailedPreconditionError(
      absl::StrCat("it has ", listeners.size(), " listeners for ", addresses(), " addresses"));
}

absl::Status Steering::Put(uint32_t slot, absl::Span<const Placed> listeners) {
  if (slot >= kSteeredSlotsMax) {
    return absl::FailedPreconditionError(
        absl::StrCat("steering knows ", int{kSteeredSlotsMax}, " slots at most"));
  }
  SetLive(slot, false);
  for (const Placed& one : listeners) {
    if (absl::Status status = Add(slot, one); !status.ok()) return status;
  }
  // What is in its queue already was counted nowhere, or for a worker that is gone.
  std::atomic_ref(parts_->At(slot).counts).fetch_and(UINT32_MAX);
  parts_->put[slot] = true;
  parts_->SetSlots();
  return absl::OkStatus();
}

absl::Status Steering::Add(uint32_t slot, const Placed& listener) {
  UC_CHECK(slot < kSteeredSlotsMax && listener.place < addresses());
  return PutOne(parts_->programs.addresses[listener.place], slot, listener.listener);
}

std::optional<size_t> Steering::PlaceOf(uint32_t slot, int listener) const {
  const uint64_t cookie = CookieOf(listener);
  for (size_t place = 0; place < addresses() && cookie != 0 && slot < kSteeredSlotsMax; ++place) {
    if (CookieIn(parts_->programs.addresses[place].sockets, slot) == cookie) return place;
  }
  return std::nullopt;
}

void Steering::SetLive(uint32_t slot, bool live) {
  std::atomic_ref(parts_->At(slot).live).store(live ? 1 : 0);
}

void Steering::Remove(uint32_t slot) {
  SetLive(slot, false);  // before its sockets go: else a selection fails
  for (const SteeringProgram& address : parts_->programs.addresses) {
    // ENOENT: a socket that was shut down has left by itself.
    bpf_map_delete_elem(address.sockets.get(), &slot);
  }
  std::atomic_ref(parts_->At(slot).counts).fetch_and(UINT32_MAX);
  parts_->put[slot] = false;
  parts_->SetSlots();
}

void Steering::ForgetLoad(uint32_t slot, uint32_t connections) {
  ChangeCounts(parts_->At(slot), -int64_t{connections}, 0);
}

void Steering::ForgetAllLoad(uint32_t slot) {
  ChangeCounts(parts_->At(slot), -int64_t{UINT32_MAX}, 0);
}

SlotSteering Steering::Read(uint32_t slot) const {
  SlotState& state = parts_->At(slot);
  const Counts counts = ReadCounts(state);
  return {std::atomic_ref(state.live).load() != 0, counts.load, counts.pend};
}

uint64_t Steering::failed_selects() const {
  return std::atomic_ref(parts_->state->failed_selects).load();
}

}  // namespace uc::net
