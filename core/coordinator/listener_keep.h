// ListenerKeep: the coordinator's duplicates of every slot's listeners. They make a slot outlive its workers:
// queue and half-open connections stay whatever becomes of a process. Never accepted from here.
#ifndef CORE_COORDINATOR_LISTENER_KEEP_H_
#define CORE_COORDINATOR_LISTENER_KEEP_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/policy/event.h"

namespace uc::coordinator {

class ListenerKeep {
 public:
  // `addresses`: listeners of a slot, one per listen address.
  explicit ListenerKeep(size_t addresses) : addresses_(addresses) {}

  // False: the slot has some already, or these are not one stream socket for each listen address.
  bool Keep(policy::SlotIndex slot, std::vector<Fd> listeners);
  absl::Span<const Fd> Of(policy::SlotIndex slot) const;
  // Borrowed numbers, to be passed on; empty: none are kept.
  std::vector<int> DescriptorsOf(policy::SlotIndex slot) const;
  const std::map<policy::SlotIndex, std::vector<Fd>>& all() const { return kept_; }

  // They stop listening and the kernel moves what waits there to the others of the group: shutdown(2) with
  // SHUT_RD, where a program of type SELECT_OR_MIGRATE or net.ipv4.tcp_migrate_req says so. Then drops them.
  void Evacuate(policy::SlotIndex slot);
  // Connections that are complete and wait for accept.
  bool WorkWaits(policy::SlotIndex slot) const;

 private:
  const size_t addresses_;
  std::map<policy::SlotIndex, std::vector<Fd>> kept_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_LISTENER_KEEP_H_
