// Action: everything that the supervisor may ask of the operating system, as one type. PURE.
#ifndef CORE_POLICY_ACTION_H_
#define CORE_POLICY_ACTION_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/event.h"

namespace uc::policy {

// Exec a worker for this slot. It gets the slot's listeners if the coordinator holds them, else it binds.
struct Spawn {
  WorkerId worker;
};

enum class DrainKind {
  kHandOver,  // a successor serves the same listener: stop accepting, let idle connections send one more
  kRetire,  // nobody will: also take what is queued, then close the listener
  kPrompt,  // the cluster or this worker stops: idle connections end now, requests in flight finish
};
// Tell the worker to serve what it has and leave. `within`: what is left of its time, for its own use; the
// supervisor kills it when that is over.
struct Drain {
  WorkerId worker;
  DrainKind kind = DrainKind::kHandOver;
  absl::Duration within;
};

enum class KillReason { kStuck, kLateReady, kLateExit, kAborted, kStopNow };
// SIGKILL. WorkerExited follows.
struct Kill {
  WorkerId worker;
  KillReason reason = KillReason::kStuck;
};

// New connections may (or may not) reach the slot. Comes last on the way up and first on the way down.
struct SetLive {
  SlotIndex slot = 0;
  bool live = false;
};
// The slot is gone: drop its listeners. On a retire this comes before Drain{kRetire}, so that the worker
// holds the last descriptor and empties the queue itself.
struct CloseSlot {
  SlotIndex slot = 0;
};

struct Progress {
  CommandId command = 0;
  std::string text;
};
enum class Outcome {
  kDone,
  kFailed,
  kRefused
};  // kRefused: nothing was tried (the operator's fault)
// Exactly one for each CommandGiven.
struct Acknowledge {
  CommandId command = 0;
  Outcome outcome = Outcome::kDone;
  std::string text;
};

struct ReopenLogFiles {};
// A fact for the log that belongs to no command.
struct Report {
  enum class Level { kInfo, kWarning } level = Level::kInfo;
  std::string text;
};
// All workers are gone; the coordinator leaves with this exit code. The last action ever.
struct Finish {
  int exit_code = 0;
  std::string text;
};

using Action = std::variant<Spawn, Drain, Kill, SetLive, CloseSlot, Progress, Acknowledge,
                            ReopenLogFiles, Report, Finish>;
using Actions = std::vector<Action>;

}  // namespace uc::policy

#endif  // CORE_POLICY_ACTION_H_
