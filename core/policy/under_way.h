// What is under way: a roll, a change of scale, restarts, the end of the cluster. PURE.
//
// Values that say what was asked for and how far it has come; supervisor_state.h moves them on.
#ifndef CORE_POLICY_UNDER_WAY_H_
#define CORE_POLICY_UNDER_WAY_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/action.h"
#include "core/policy/command.h"
#include "core/policy/slot.h"

namespace uc::policy {

// A worker that has had its day.
struct Due {
  WorkerId worker;
  std::string reason;
};

// A roll replaces every incumbent that was born before it, `width` slots at a time. A recycling is a roll of
// one slot that nobody has asked for.
struct Roll {
  size_t width = 1;
  std::optional<Due> recycling;
  std::vector<CommandId> commands;  // one or more reloads that joined
  Generation first_generation = 0;  // workers from this one on run the new build
  std::deque<SlotIndex> ahead;      // in index order
  std::vector<SlotIndex> current;   // at most `width`
  size_t done = 0;
  int killed = 0;  // old workers that did not leave in time

  // Slots that were retired meanwhile have left the roll.
  size_t total() const { return done + ahead.size() + current.size(); }
  bool Renews(SlotIndex slot) const {
    return std::find(current.begin(), current.end(), slot) != current.end();
  }
  bool IsNew(const Worker& worker) const { return worker.id.generation >= first_generation; }
};

// The slots that a `scale` added and that were not READY since; those that it retires are the unwanted
// ones of the crew.
struct Scaling {
  CommandId command = 0;
  std::vector<SlotIndex> rising;
};

// Slots whose workers of before first_generation leave, and that wait for a READY one of after.
struct Restarting {
  CommandId command = 0;
  Generation first_generation = 0;
  std::vector<SlotIndex> waiting;
  size_t total = 0;
};

// The time from the first spawn, or from a take-over, to StartEnded.
struct StartUnderWay {
  size_t progress = 0;  // slots that were tried, and slots that served at one time: the most so far
  absl::Time end_at = absl::InfiniteFuture();  // unless there is more progress
};

// The end of the cluster. Nothing is spawned any more.
struct Ending {
  int exit_code = 0;
  std::string text;  // why it failed; empty: it was asked for
  std::vector<CommandId> stops;
  int killed = 0;  // workers that did not leave in time
};

}  // namespace uc::policy

#endif  // CORE_POLICY_UNDER_WAY_H_
