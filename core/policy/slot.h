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
  kProving,  // READY, answers our probe and settles, accepts nothing yet: a successor before its admission
  kServing,     // READY, admitted and not asked to leave
  kRestarting,  // its program has ended and is (to be) started again; it keeps its clients
  kDraining,    // told to leave; serves what it has
  kKilled,      // SIGKILL sent, exit not yet seen
};
//
//   Spawn ──> kStarting ──READY──> kServing ─────────────Drain───────────────> kDraining ──exit──> (gone)
//                 │ └─READY─> kProving ─┘ │ │ ^                                 ^    │
//                 │     passed, settled   │ │ └─── READY ───┐                   │    │
//                 │               │       │ └─ program ─> kRestarting ─── Drain ┘    │
//                 │               │       │     ended       │                        │
//                 └──late/aborted─┴───────┴──── stuck ──────┴────────────────────────┴──kill_timeout──> kKilled ──exit──> (gone)
//   An exit may come in every state. A program that could not be started leaves its worker in
//   kRestarting.

struct Worker {
  WorkerId id;
  WorkerState state = WorkerState::kStarting;
  absl::Time since;     // of this state
  absl::Time deadline;  // READY, the probe's answer or exit is due; InfiniteFuture otherwise

  absl::Time ready_at = absl::InfiniteFuture();  // when it was READY; InfiniteFuture: never
  bool dismissed = false;                        // told to leave: its end is no crash
  bool prompt = false;                           // told to leave promptly
  bool inherited = false;                        // this coordinator has not spawned it
  bool unheard = false;                          // it did not answer this coordinator yet
  bool perhaps_untold = false;                   // a row says that it drains, and nothing else does
  bool suspect = false;                          // steered round: work waits and it is silent
  bool suspect_told = false;                     // the log knows
  // In the successor's seat: it has answered its probe, if there is one; when it has been READY for long enough to be
  // admitted; and then healthy for long enough to take its slot over.
  bool proven = false;
  // Its roll is over, and it only serves until the incumbent's program does again.
  bool called_off = false;
  absl::Time settled_at = absl::InfiniteFuture();
  absl::Time soaked_at = absl::InfiniteFuture();
  std::string failure;         // why it could not start; empty: it did not fail
  bool done = false;           // its exit code, or its program's, means that it is to stay down
  bool program_asked = false;  // kRestarting: it was told to start its program since that ended
  // kRestarting: its program is not started again. It only waits for the successor that is on its
  // way.
  bool ended_for_good = false;
  absl::Time starved_report_after = absl::InfinitePast();
  absl::Time suspect_report_after = absl::InfinitePast();
};

struct Slot {
  SlotIndex index = 0;
  bool wanted = true;  // false: retiring
  bool live = false;   // new connections may reach it
  bool closed = true;  // none of its own workers accepts: not spawned yet, or retired
  absl::Time retire_at =
      absl::InfinitePast();         // not live since: when unwanted, its grace ends then
  std::optional<Worker> incumbent;  // serves, or is meant to
  std::optional<Worker>
      successor;  // during a roll: starting, proving or soaking beside the incumbent
  std::optional<Worker> leaving;  // a former incumbent that drains beside its successor
  RestartPolicy restarts;
  // When there is no incumbent, or when the program of one in kRestarting has to be started: not
  // before.
  absl::Time spawn_at = absl::InfinitePast();
  // The worker that ended for good: nobody is spawned until an operator asks for it. 0: one of a coordinator
  // before this one.
  std::optional<Generation> stopped_by;
  absl::Time recycle_at = absl::InfinitePast();  // its worker is not recycled before
  uint64_t restart_count =
      0;               // workers and programs started in the place of one that ended unasked
  bool tried = false;  // a worker of its own was spawned once
  // Why its last worker failed, and when; empty: none has, or an operator has asked for a new beginning.
  std::string failure;
  absl::Time failed_at = absl::InfinitePast();
};
// At most two of {incumbent, successor, leaving} exist at any time; of three that a new coordinator
// found two leave.

}  // namespace uc::policy

#endif  // CORE_POLICY_SLOT_H_
