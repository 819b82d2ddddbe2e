// Steering: which slot gets the next connection, decided in the kernel by a BPF program of type
// SK_REUSEPORT (attach type SELECT_OR_MIGRATE) that is attached to the listeners' reuseport groups.
//
// The coordinator loads it, says which slots are live and never sees a connection. Workers count their
// connections into the shared state map (SlotLoad). The program lives as long as any socket of its group
// does, whatever becomes of the coordinator.
// All of it needs CAP_BPF (or CAP_SYS_ADMIN) for loading alone, and Linux 5.19: older ones ask for the
// capability at each later use of a map, too.
#ifndef CORE_NET_STEERING_H_
#define CORE_NET_STEERING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/net/steering_state.h"

namespace uc::net {

// The numbers are the state map's.
enum class Balance { kLeastConnections = 0, kRoundRobin = 1, kRandom = 2, kHash = 3 };

// "least-connections", "round-robin", "random", "hash".
absl::string_view ToString(Balance balance);
absl::StatusOr<Balance> ParseBalance(absl::string_view text);

// A slot as the program sees it.
struct SlotSteering {
  bool live = false;
  uint32_t load = 0;  // open connections
  uint32_t pend = 0;  // selected, not accepted yet
};

// The coordinator's end.
class Steering {
 public:
  // One program and one socket map for each of `addresses` listen addresses, one state map for all.
  // PermissionDenied: no CAP_BPF. FailedPrecondition: this kernel cannot (says what is missing).
  static absl::StatusOr<Steering> Load(Balance balance, size_t addresses);
  // A former coordinator's, from its descriptors in the order of descriptors(). FailedPrecondition: they are
  // something else.
  static absl::StatusOr<Steering> Recover(std::vector<Fd> descriptors);

  Steering(Steering&&) noexcept;
  Steering& operator=(Steering&&) noexcept;
  ~Steering();

  Balance balance() const;
  size_t addresses() const;
  // The state map first, then socket map and program of each address. Borrowed.
  std::vector<int> descriptors() const;
  // What a worker needs for SlotLoad. Borrowed.
  int state_map() const;

  // The slot's listening sockets, one per address: makes them selectable and sees to it that the program is
  // attached to their groups. The slot is not live afterwards, and its pend is 0. Idempotent; replaces other
  // sockets. An error leaves the slot dead.
  absl::Status Put(uint32_t slot, absl::Span<const Fd> listeners);
  // Where addresses become known one by one, each has a place of its own, and a slot need not listen on all of them: a
  // connection that is meant for one that does not is spread by the kernel's hash.
  struct Placed {
    size_t place = 0;  // below addresses()
    int listener = -1;
  };
  absl::Status Put(uint32_t slot, absl::Span<const Placed> listeners);
  // One more, of a slot that is put and may be live: it stays so.
  absl::Status Add(uint32_t slot, const Placed& listener);
  // Where this listener of the slot has been put; nullopt: nowhere.
  std::optional<size_t> PlaceOf(uint32_t slot, int listener) const;
  // One atomic store. Order for a new slot: Put, SetLive(true); for one that goes: SetLive(false), Remove.
  void SetLive(uint32_t slot, bool live);
  void Remove(uint32_t slot);
  // A worker of this slot died with that many open connections; ForgetAllLoad: it was the slot's only one.
  void ForgetLoad(uint32_t slot, uint32_t connections);
  void ForgetAllLoad(uint32_t slot);
  // For `describe` and tests.
  SlotSteering Read(uint32_t slot) const;
  uint64_t failed_selects() const;

 private:
  struct Parts;
  explicit Steering(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace uc::net

#endif  // CORE_NET_STEERING_H_
