// Event: everything that can happen to a cluster, as one type. PURE.
//
// What a worker says is gossip until its id is found in the own tables: events of dead generations are
// ignored and counted.
#ifndef CORE_POLICY_EVENT_H_
#define CORE_POLICY_EVENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/policy/command.h"
#include "core/policy/health.h"

namespace uc::policy {

using SlotIndex = uint32_t;
using Generation = uint32_t;  // birth number, unique in the cluster's life, from 1
using CommandId = uint64_t;   // given by the coordinator, unique, from 1

struct WorkerId {
  SlotIndex slot = 0;
  Generation generation = 0;
  friend bool operator==(const WorkerId&, const WorkerId&) = default;
};

// Who has to change something for it to work next time.
enum class Fault { kOperator, kWorld };

// The Spawn action failed: no process exists.
struct SpawnFailed {
  WorkerId worker;
  Fault fault = Fault::kWorld;
  std::string reason;
};
// The worker can serve: app started, listener bound (or inherited), accept armed unless it waits for its
// admission.
struct WorkerReady {
  WorkerId worker;
};
// The coordinator keeps listeners for the worker's slot, bound by this worker.
struct ListenersKept {
  SlotIndex slot = 0;
};
// What became of a Probe. `reason`: why it failed.
struct ProbeAnswered {
  WorkerId worker;
  bool passed = false;
  std::string reason;
};
// The worker says why it cannot start; its exit follows.
struct WorkerRefused {
  WorkerId worker;
  Fault fault = Fault::kWorld;
  std::string reason;
};
// The process has ended. `clean`: exit code 0. `reason`: "exited with code 3", "killed by SIGSEGV".
struct WorkerExited {
  WorkerId worker;
  bool clean = false;
  std::string reason;
  std::optional<int> exit_code;  // nullopt: it was a signal
};
// The program behind a worker has ended; the worker has not, and keeps its clients. Said of a start
// that failed as well, also of one that took too long: the worker sees to that itself. The fields
// are those of WorkerExited.
struct ProgramEnded {
  WorkerId worker;
  bool clean = false;
  std::string reason;
  std::optional<int> exit_code;
};
// A worker that a new coordinator goes on with says only now what it does: it was stopped or starved
// when it was asked, so its row was believed.
struct LateHello {
  enum class Phase {
    kProving,  // waits for its admission
    kServing,
    kRestarting,  // its program has ended; why is not known any more
    kDraining,    // somebody has told it to leave
  };
  WorkerId worker;
  Phase phase = Phase::kServing;
};
// Behind its LateHello: it accepts from this slot's listeners besides its own.
struct LateHolds {
  WorkerId worker;
  SlotIndex slot = 0;
};
// The worker has had its day: too much memory, enough requests. Said again as long as it is so. `reason`:
// "312M of memory, over --max-memory-restart=200M".
struct RecycleDue {
  WorkerId worker;
  std::string reason;
};
// A look at the scoreboard and at /proc, judged by Judge() (health.h).
struct HealthObserved {
  WorkerId worker;
  Health health = Health::kWell;
};
// More workers than this cannot be had at present, whatever is asked for. `why`: the figures and the cure.
struct WorkersBound {
  uint32_t workers = 0;
  std::string why;
};
struct CommandGiven {
  CommandId id = 0;
  Command command;
  std::vector<WorkersBound> bounds;  // of a Scale
};
// The new program of an Upgrade cannot take over; everything is as it was.
struct UpgradeFailed {
  CommandId command = 0;
  std::string reason;
};
// The deadline of NextDeadline() has come (or nothing at all: always harmless).
struct Woke {};

using Event = std::variant<SpawnFailed, WorkerReady, ListenersKept, ProbeAnswered, WorkerRefused,
                           WorkerExited, ProgramEnded, LateHello, LateHolds, RecycleDue,
                           HealthObserved, CommandGiven, UpgradeFailed, Woke>;

}  // namespace uc::policy

#endif  // CORE_POLICY_EVENT_H_
