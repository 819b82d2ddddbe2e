// Chronicle: what anybody can know who sees only the events that go in and the actions that come out.
//
// The invariants are judged by it, not by the supervisor's own tables, so that a table that is wrong is
// seen as well.
#ifndef TESTS_SIM_CHRONICLE_H_
#define TESTS_SIM_CHRONICLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/slot.h"

namespace uc::sim {

struct Member {
  policy::WorkerId id;
  policy::WorkerState state = policy::WorkerState::kStarting;
  absl::Time ready_at = absl::InfiniteFuture();
  bool dismissed = false;  // asked to leave
  bool refused = false;
  bool unclear = false;  // killed, and then perhaps asked to leave
};

// What is known of one slot.
struct Story {
  std::vector<Member> members;  // alive; the dead are taken out
  bool live = false;
  bool closed = false;
  // Ends that nobody asked for, each within min_uptime, in a row; and the last one.
  int quick_ends = 0;
  absl::Time last_end = absl::InfinitePast();
};

class Chronicle {
 public:
  explicit Chronicle(absl::Duration min_uptime) : min_uptime_(min_uptime) {}

  void Happened(absl::Time now, const policy::Event& event);
  void AskedFor(const policy::Action& action);

  const std::map<policy::SlotIndex, Story>& slots() const { return slots_; }
  const Story& At(policy::SlotIndex slot) const;         // an empty one if nothing is known
  const Member* Find(const policy::WorkerId& id) const;  // nullptr: not alive
  bool Serves(policy::SlotIndex slot) const;
  // Slots below `end` that have a serving worker.
  int ServingBelow(policy::SlotIndex end) const;
  int Live() const;
  int Starting() const;
  int Alive() const;
  const std::set<policy::CommandId>& open() const { return open_; }

  policy::Generation newest = 0;
  bool ever_ready = false;
  bool stop_given = false;
  bool finished = false;
  // Of commands that may start workers without back-off.
  absl::Time last_reload_or_restart = absl::InfinitePast();
  absl::Time last_scale = absl::InfinitePast();

 private:
  Member* Known(const policy::WorkerId& id);
  void DoubtKilled(const policy::Restart& restart);
  void Ended(absl::Time now, const policy::WorkerId& id);

  const absl::Duration min_uptime_;
  std::map<policy::SlotIndex, Story> slots_;
  std::set<policy::CommandId> open_;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_CHRONICLE_H_
