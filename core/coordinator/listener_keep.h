// ListenerKeep: the coordinator's duplicates of every slot's listeners. They make a slot outlive its workers:
// queue and half-open connections stay whatever becomes of a process. Never accepted from here.
#ifndef CORE_COORDINATOR_LISTENER_KEEP_H_
#define CORE_COORDINATOR_LISTENER_KEEP_H_

#include <poll.h>

#include <cstdint>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/policy/event.h"

namespace uc::coordinator {

class ListenerKeep {
 public:
  // `addresses`: listeners of a slot, one per listen address. A program adds more of them (`kind`).
  enum class Kind { kFixed, kGrowing };
  ListenerKeep(size_t addresses, Kind kind) : addresses_(addresses), kind_(kind) {}

  size_t addresses() const { return addresses_; }
  // False: the slot has some already, or these are not one stream socket for each listen address. Of those that a
  // program adds: the slot has one on the same address already.
  bool Keep(policy::SlotIndex slot, std::vector<Fd> listeners);
  absl::Span<const Fd> Of(policy::SlotIndex slot) const;
  // Those of the listen addresses alone.
  absl::Span<const Fd> FixedOf(policy::SlotIndex slot) const;
  // Borrowed numbers, to be passed on; empty: none are kept.
  std::vector<int> DescriptorsOf(policy::SlotIndex slot) const;
  const std::map<policy::SlotIndex, std::vector<Fd>>& all() const { return kept_; }

  // They stop listening and the kernel moves what waits there to the others of the group: shutdown(2) with
  // SHUT_RD, where a program of type SELECT_OR_MIGRATE or net.ipv4.tcp_migrate_req says so. Then drops them.
  void Evacuate(policy::SlotIndex slot);
  // Where complete connections wait for accept, in order. One system call for all: it is asked at each look.
  std::vector<policy::SlotIndex> SlotsWithWork();
  // For who wants to sleep until a connection comes to any of them. Valid until one of them goes or comes.
  absl::Span<const pollfd> Polled();

 private:
  void LookAnew();
  bool KeepMore(std::vector<Fd>& kept, std::vector<Fd> more);

  const size_t addresses_;
  const Kind kind_;
  std::map<policy::SlotIndex, std::vector<Fd>> kept_;
  // All of `kept_`; empty: something has changed since.
  std::vector<pollfd> looked_at_;
  std::vector<policy::SlotIndex> slots_looked_at_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_LISTENER_KEEP_H_
