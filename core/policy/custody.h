// Custody: who accepts from each slot's listeners while the slot's own worker does not. PURE.
//
// A socket that listens and that nobody accepts from makes clients hang, so: as long as any worker serves, every set of
// listeners that the coordinator keeps is served by its own worker or by a stand-in. Level-triggered: Settle()
// compares and asks for the difference. Refused: waiting for a replacement; it may take its back-off.
#ifndef CORE_POLICY_CUSTODY_H_
#define CORE_POLICY_CUSTODY_H_

#include <map>
#include <optional>
#include <set>

#include "core/policy/action.h"
#include "core/policy/crew.h"

namespace uc::policy {

class Custody {
 public:
  // Actions are appended to `actions`, which must outlive this.
  explicit Custody(Actions* actions) : actions_(*actions) {}

  // The coordinator keeps listeners of this slot from now on / no longer. They are bound and do not listen yet:
  // nobody can wait there, so nobody stands in.
  void Keep(SlotIndex slot) {
    if (stand_ins_.emplace(slot, std::nullopt).second) silent_.insert(slot);
  }
  void Drop(SlotIndex slot) { stand_ins_.erase(slot); }
  // A worker of the slot is READY, or ended somewhere on the way there: they listen, or may.
  void Listens(SlotIndex slot) { silent_.erase(slot); }
  // What a former coordinator had arranged.
  void Restore(SlotIndex slot, WorkerId stand_in) { stand_ins_[slot] = stand_in; }

  void Settle(Crew& crew);

  const std::map<SlotIndex, std::optional<WorkerId>>& stand_ins() const { return stand_ins_; }

 private:
  // The worker with the fewest other slots to serve; those that stay go before those that retire.
  std::optional<WorkerId> Choose(Crew& crew, SlotIndex slot) const;
  int Burden(WorkerId worker) const;

  Actions& actions_;
  std::map<SlotIndex, std::optional<WorkerId>> stand_ins_;
  std::set<SlotIndex> silent_;  // of these, whose listeners do not listen yet
};

}  // namespace uc::policy

#endif  // CORE_POLICY_CUSTODY_H_
