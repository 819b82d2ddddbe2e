// Action: everything that the supervisor may ask of the operating system, as one type. PURE.
#ifndef CORE_POLICY_ACTION_H_
#define CORE_POLICY_ACTION_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/event.h"

namespace uc::policy {

enum class Entry {
  kAtOnce,       // accepts as soon as it can, then says READY
  kOnAdmission,  // says READY when it could; accepts after Admit: a successor that has to prove itself
};
// Exec a worker for this slot. It gets the slot's listeners if the coordinator holds them, else it binds.
struct Spawn {
  WorkerId worker;
  Entry entry = Entry::kAtOnce;
};
// Send the worker a request of ours, past its listeners. ProbeAnswered follows.
struct Probe {
  WorkerId worker;
};
// A worker that was spawned kOnAdmission may accept from now on.
struct Admit {
  WorkerId worker;
};

// The worker starts its program again, once for each ProgramEnded. WorkerReady follows when it
// serves, or ProgramEnded when it could not. A worker whose program serves already says WorkerReady
// again; one that is about to start it does nothing.
struct StartProgram {
  WorkerId worker;
};

enum class DrainKind {
  kHandOver,  // others go on: stop accepting, idle connections go to the heirs
  kPrompt,    // idle connections that no heir takes end now, requests in flight finish
};
// Tell the worker to serve what it has and leave; its idle connections move to the heirs in equal shares.
// `within`: what is left of its time, for its own use; the supervisor kills it when that is over.
struct Drain {
  WorkerId worker;
  DrainKind kind = DrainKind::kHandOver;
  absl::Duration within;
  std::vector<WorkerId> heirs;  // workers that accept; empty: nobody can take over connections
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
// `worker`, of another slot, accepts from this slot's listeners as well: nobody else does now.
struct Adopt {
  SlotIndex slot = 0;
  WorkerId worker;
};
// `worker` stops doing so: the slot's own worker serves again.
struct Release {
  SlotIndex slot = 0;
  WorkerId worker;
};
// The slot is gone: its listeners stop listening, the kernel moves what waits and what is half open there to
// live listeners. Only where the kernel can (SupervisorOptions::retirement).
struct Evacuate {
  SlotIndex slot = 0;
};
// Long-lived connections are unevenly spread: loaded workers give idle ones to those that have few.
struct Rebalance {};

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
// Replace the coordinator's own program, same pid. UpgradeFailed follows, or nothing at all: whoever comes
// after answers the command.
struct Upgrade {
  CommandId command = 0;
};
// The start is over, the first one or that of a coordinator that took over: each wanted slot serves, has shown
// that it cannot, or was given its time. Said once.
struct StartEnded {
  uint32_t serving = 0;  // wanted slots that serve now
  uint32_t wanted = 0;
  std::string
      failures;  // "slot 1: REASON; slots 3, 4: REASON"; empty: every slot serves or ended as it may
};
// A fact for the log that belongs to no command.
struct Report {
  enum class Level { kInfo, kWarning } level = Level::kInfo;
  std::string text;
};
// All workers are gone; the coordinator leaves with this exit code. The last action ever.
struct Finish {
  int exit_code = 0;
  std::string text;
  bool asked = false;  // by a stop
};

using Action = std::variant<Spawn, Probe, Admit, StartProgram, Drain, Kill, SetLive, Adopt, Release,
                            Evacuate, Rebalance, Progress, Acknowledge, ReopenLogFiles, Upgrade,
                            StartEnded, Report, Finish>;
using Actions = std::vector<Action>;

}  // namespace uc::policy

#endif  // CORE_POLICY_ACTION_H_
