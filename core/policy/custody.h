// Custody: who accepts from each slot's listeners while the slot's own worker does not. PURE.
//
// A socket that listens and that nobody accepts from makes clients hang, so: as long as any worker is healthy,
// every set of listeners that the coordinator keeps is served by its own worker or by a stand-in. A
// worker whose program is being restarted accepts and lets requests wait: its own slot needs no
// stand-in, but it stands in for nobody when there is a healthy one. Level-triggered: Settle()
// compares and asks for the difference. Refused: waiting for a replacement; it may take its
// back-off. The one exception: sockets whose first worker is still starting are bound and do not
// listen yet; nobody can wait there.
#ifndef CORE_POLICY_CUSTODY_H_
#define CORE_POLICY_CUSTODY_H_

#include <map>
#include <optional>
#include <vector>

#include "core/policy/action.h"
#include "core/policy/crew.h"

namespace uc::policy {

class Custody {
 public:
  // Actions are appended to `actions`, which must outlive this.
  explicit Custody(Actions* actions) : actions_(*actions) {}

  // The coordinator keeps listeners of this slot from now on. `binder`: who has bound them and still starts.
  void Keep(SlotIndex slot, std::optional<WorkerId> binder) {
    kept_.try_emplace(slot, Kept{binder, std::nullopt});
  }
  // It does not any more.
  void Drop(SlotIndex slot, Crew& crew);
  // What a former coordinator had arranged. Of two workers that both say so the first one has to let go.
  void Restore(SlotIndex slot, WorkerId stand_in);
  // The same, heard later: what was arranged meanwhile stays, and this worker lets go.
  void HeldBesides(SlotIndex slot, WorkerId stand_in);

  void Settle(Crew& crew);

  bool Keeps(SlotIndex slot) const { return kept_.count(slot) == 1; }
  std::vector<SlotIndex> kept() const;
  std::optional<WorkerId> StandIn(SlotIndex slot) const;

 private:
  struct Kept {
    std::optional<WorkerId> binder;  // until it is READY, or has ended somewhere on the way there
    std::optional<WorkerId> stand_in;
  };
  void LetGo(SlotIndex slot, Kept& kept, Crew& crew);
  // The worker with the fewest other slots to serve; those that stay go before those that retire.
  std::optional<WorkerId> Choose(Crew& crew, SlotIndex slot) const;
  int Burden(WorkerId worker) const;

  Actions& actions_;
  std::map<SlotIndex, Kept> kept_;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_CUSTODY_H_
