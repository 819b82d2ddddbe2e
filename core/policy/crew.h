// Crew: the slots, the workers in them, and every act upon them. PURE.
//
// An act changes the table and asks for the Action in one go, so that the table and what was asked for
// can never differ. What to do, and when, is the Supervisor's affair.
//
// Invariants: slots are in index order; at most two workers in a slot, but for a third one that a new
// coordinator found and that leaves; a live slot's incumbent accepts; no act names a worker that has
// gone or was killed.
#ifndef CORE_POLICY_CREW_H_
#define CORE_POLICY_CREW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/policy/action.h"
#include "core/policy/slot.h"
#include "core/policy/supervisor.h"

namespace uc::policy {

// Where in its slot a worker sits.
using Seat = std::optional<Worker> Slot::*;
inline constexpr Seat kSeats[] = {&Slot::incumbent, &Slot::successor, &Slot::leaving};

struct Place {
  Slot* slot = nullptr;  // nullptr: the worker is not (or no longer) known
  Seat seat = nullptr;
  Worker& worker() const { return *(slot->*seat); }
};

int WorkerCount(const Slot& slot);
// The incumbent is READY and was not asked to leave.
bool Serves(const Slot& slot);
// It serves and nothing speaks against sending it work.
bool Healthy(const Slot& slot);
// A worker in this state takes connections and keeps those that it has: it serves, or is
// restarting.
bool Accepts(WorkerState state);
// The incumbent does.
bool Accepts(const Slot& slot);
// The incumbent serves, or will when its program has been started again.
bool ServesOn(const Slot& slot);
// The incumbent's program has ended, and it was not told yet to start it again.
bool AwaitsProgram(const Slot& slot);
// A successor has the time to settle and to soak: the incumbent serves, or its program has ended and
// is started again, now or as soon as it is its turn.
bool SuccessorMayWait(const Slot& slot, absl::Time now);
// What a slot is to new connections, from the worst to the best.
enum class Fitness {
  kNone,        // nobody accepts, or only for those that are there
  kRestarting,  // a request waits until the program has been started again
  kServes,      // a suspect, or a successor beside one that restarts: perhaps nobody answers
  kHealthy,
};
Fitness FitnessOf(const Slot& slot);
// Somebody is about to take the slot over: a successor that starts, proves itself or soaks.
bool SuccessorComes(const Slot& slot);
// "slot 2, generation 9".
std::string Name(const WorkerId& id);

class Crew {
 public:
  // Actions are appended to `actions`, which must outlive this.
  Crew(const SupervisorOptions& options, Actions* actions);

  absl::Span<Slot> slots() { return absl::MakeSpan(slots_); }
  absl::Span<const Slot> slots() const { return slots_; }
  Slot* Find(SlotIndex index);
  Place Find(const WorkerId& id);
  // Makes it if it does not exist. Invalidates all Slot pointers.
  Slot& FindOrAdd(SlotIndex index);
  // Unwanted slots that hold no worker any more cease to exist. Invalidates all Slot pointers.
  void SweepEmptySlots();

  bool Empty() const;   // no worker is left
  int Serving() const;  // of the wanted slots
  // One more worker, or program of a worker, may start now: in the whole cluster. And one more
  // worker in this slot.
  bool MayStart() const;
  static bool HasRoom(const Slot& slot);
  // What the next worker will be called; all those of before are older.
  Generation next_generation() const { return next_generation_; }

  // Takes a worker over that lives already; a deadline begins anew.
  void Enrol(absl::Time now, Slot& slot, Seat seat, const Legacy::Found& found);
  void SetNextGeneration(Generation next) { next_generation_ = next; }

  void Spawn(absl::Time now, Slot& slot, Seat seat);
  // An incumbent serves from now on, or again; a successor proves itself, and is admitted then.
  void Ready(absl::Time now, Slot& slot, Seat seat);
  void Admit(absl::Time now, Worker& worker);
  // It does what a row said of it otherwise: it drains already. It may take its whole time.
  void BeginDrain(absl::Time now, Worker& worker);
  // The worker's program has ended. It is started again by StartProgram, once.
  void BeginRestart(absl::Time now, Worker& worker);
  void StartProgram(Worker& worker);
  // The successor becomes the incumbent; the incumbent, if there is one, goes on the leaving seat.
  void Promote(Slot& slot);
  // `deadline` is when it is killed. `heirs` that do not accept (any more) are left out.
  void Drain(absl::Time now, Worker& worker, DrainKind kind, absl::Time deadline,
             const std::vector<WorkerId>& heirs);
  // The healthy workers of all other wanted slots; without any, those of slots that are yet to retire.
  std::vector<WorkerId> HeirsBeside(const Slot& slot) const;
  // Of one that leaves this slot and is not its incumbent: the incumbent, if it is healthy or nobody else is.
  std::vector<WorkerId> HeirsFor(const Slot& slot) const;
  // Not twice: nothing happens to a worker that was killed already.
  void Kill(absl::Time now, Worker& worker, KillReason reason);
  void SetLive(Slot& slot, bool live);
  // The slot's own workers do not accept any more; the incumbent moves to the leaving seat if that is free, so
  // that a new one can be born beside it.
  void Close(Slot& slot);

 private:
  const SupervisorOptions options_;
  Actions& actions_;
  std::vector<Slot> slots_;
  Generation next_generation_ = 1;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_CREW_H_
