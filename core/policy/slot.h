// Slot: one place of the cluster and the at most two workers in it. PURE.
//
// Wanted and actual are never mixed: `wanted` is the operator's word, the rest is what is known to be.
#ifndef CORE_POLICY_SLOT_H_
#define CORE_POLICY_SLOT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/policy/event.h"
#include "core/policy/restart_policy.h"

namespace uc::policy {

enum class WorkerState {
  kStarting,  // spawned, not READY
  kServing,   // READY and not asked to leave
  kDraining,  // told to leave; serves what it has
  kKilled,    // SIGKILL sent, exit not yet seen
};
//
//   Spawn ──> kStarting ──READY──> kServing ──Drain──> kDraining ──exit──> (gone)
//                 │                   │                    │
//                 └──late/aborted─────┴──stuck─────────────┴──kill_timeout──> kKilled ──exit──> (gone)
//   An exit may come in every state.

struct Worker {
  WorkerId id;
  WorkerState state = WorkerState::kStarting;
  absl::Time since;     // of this state
  absl::Time deadline;  // READY or exit is due; InfiniteFuture in kServing and kKilled

  absl::Time ready_at = absl::InfiniteFuture();  // when it was READY; InfiniteFuture: never
  bool dismissed = false;                        // told to leave: its end is no crash
  bool prompt = false;                           // told to leave promptly
  std::string failure;                           // why it could not start; empty: it did not fail
  absl::Time starved_report_after = absl::InfinitePast();
};

struct Slot {
  SlotIndex index = 0;
  bool wanted = true;  // false: retiring
  bool live = false;   // new connections may reach it
  bool closed = true;  // nobody keeps listeners of it: a worker that is born binds afresh
  std::optional<Worker> incumbent;  // serves, or is meant to
  std::optional<Worker> successor;  // during a roll: starting beside the incumbent
  std::optional<Worker> leaving;    // a former incumbent that drains beside its successor
  RestartPolicy restarts;
  absl::Time spawn_at = absl::InfinitePast();  // when there is no incumbent: not before
  uint64_t restart_count = 0;  // workers started in the place of one that ended unasked
};
// At most two of {incumbent, successor, leaving} exist at any time.

}  // namespace uc::policy

#endif  // CORE_POLICY_SLOT_H_
