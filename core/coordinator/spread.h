// Spread: how new connections are spread over the slots, in the way of the mode in force: by the steering program, by
// chance, or by the kernel's hash, where each core can have its own slot preferred.
//
// Knows slots and their listeners, no workers; which slots are live is the Supervisor's.
#ifndef CORE_COORDINATOR_SPREAD_H_
#define CORE_COORDINATOR_SPREAD_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/coordinator/listener_keep.h"
#include "core/coordinator/mode.h"
#include "core/net/address.h"
#include "core/net/steering.h"
#include "core/policy/event.h"

namespace uc::coordinator {

class Spread {
 public:
  // kPinned: workers are, and the kernel's choice shall follow.
  enum class Cores { kAny, kPinned };
  Spread(Mode mode, Cores cores, const ListenerKeep& listeners)
      : mode_(std::move(mode)), cores_(cores), listeners_(listeners) {}

  // The listeners of the slot are kept from now on.
  void Begin(policy::SlotIndex slot);
  // The slot gets new connections, or no more.
  void SetLive(policy::SlotIndex slot, bool live);
  // The listeners of the slot are gone.
  void End(policy::SlotIndex slot);

  // A worker of the slot has ended with so many connections open.
  void Forget(policy::SlotIndex slot, uint32_t connections);
  // It was the slot's only one: then even what it was in the middle of counting is known.
  void ForgetAll(policy::SlotIndex slot);

  // The steering program, for those who come after us and for the workers; empty: there is none. Borrowed.
  std::vector<int> descriptors() const;
  // One that counts what it has sent (Balance::kLeastConnections), or nullptr.
  const net::Steering* counting() const;

 private:
  // Where a program chooses the socket, nobody asks for this.
  void PreferOwnCore(policy::SlotIndex slot);
  // The addresses are found out one by one: no --listen says them.
  bool late() const { return listeners_.addresses() == 0; }
  // The place of steering for this address; nullopt: all are taken.
  std::optional<size_t> PlaceOf(const net::Address& address);
  void RecoverPlaces();
  std::vector<net::Steering::Placed> PlacedOf(policy::SlotIndex slot);
  // One socket more or less in the reuseport groups.
  void SpreadByChance();

  Mode mode_;
  const Cores cores_;
  const ListenerKeep& listeners_;
  std::vector<std::optional<net::Address>> places_;  // late()
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_SPREAD_H_
