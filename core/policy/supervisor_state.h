// Supervisor::State: the tables of a Supervisor and the steps it is made of. PURE.
//
// supervisor.cc    the order of the steps, and the interface
// workers.cc       what becomes of workers, and what the end of one means
// programs.cc      what the end of a worker's program means
// live.cc          health, the live set, retirement
// legacy.cc        what a new coordinator makes of the workers that it finds
// commands.cc      what each command sets going, and when it is answered
// start.cc         when the start is over, and what has come of it
// roll.cc          the roll, slot by slot
// recycle.cc       workers that have had their day
// ending.cc        stop and giving up
#ifndef CORE_POLICY_SUPERVISOR_STATE_H_
#define CORE_POLICY_SUPERVISOR_STATE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/policy/command_ledger.h"
#include "core/policy/crew.h"
#include "core/policy/custody.h"
#include "core/policy/supervisor.h"
#include "core/policy/under_way.h"

namespace uc::policy {

// Milliseconds are enough for a reader: "340ms", "1.5s".
std::string Shown(absl::Duration duration);
// What a worker says is gossip: it gets into texts as one line that is not too long.
std::string OneLine(absl::string_view text);
// "1 worker", "3 workers".
std::string Counted(size_t count, absl::string_view noun);

struct Supervisor::State {
  explicit State(const SupervisorOptions& chosen);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // --- Events: workers.cc, and where each one belongs ---
  void On(const SpawnFailed& event);
  void On(const WorkerReady& event);
  void On(const ListenersKept& event);
  void On(const ProbeAnswered& event);
  void On(const WorkerRefused& event);
  void On(const WorkerExited& event);
  void On(const ProgramEnded& event);
  void On(const LateHello& event);
  void On(const LateHolds& event);
  void On(const RecycleDue& event);
  void On(const HealthObserved& event);
  void On(const CommandGiven& event);
  void On(const UpgradeFailed& event);
  void On(const Woke&) {}
  // Compares what is wanted with what is, and asks for the difference.
  void Settle();

  // --- Workers: workers.cc, live.cc, supervisor.cc ---
  // Said once for each worker that could not start, as soon as it is known.
  void StartFailed(const Worker& worker, Fault fault, const std::string& reason);
  void NoteFailure(SlotIndex index, const std::string& reason);
  // The process has ended and its seat is empty.
  void Departed(Slot& slot, Seat seat, const Worker& worker, const std::string& reason);
  // Nobody asked for this end, of the slot's worker or of its program: when is the next one
  // started, if at all? `uptime`: since READY; zero: it never was, or not since its program ended.
  void EndedUnasked(Slot& slot, const Worker& worker, absl::Duration uptime,
                    const std::string& reason);
  // Nobody is spawned in this slot until an operator asks for it.
  void StayDown(Slot& slot, const Worker& worker, const std::string& reason);
  // The program of a successor that proves itself or soaks has ended: the successor has failed, and leaves.
  void SuccessorFailed(Slot& slot, const std::string& reason);
  // Workers whose program is not started again leave, unless a successor is on its way.
  void DismissEnded();
  std::string NextTry(const Slot& slot, absl::Duration delay) const;
  void Suspect(Slot& slot, Worker& worker);
  void Trust(Worker& worker);
  // Live are the wanted slots that serve, without the suspects as long as there are others. If no wanted slot
  // serves at all, one that was to be retired does; if none does either, those that are restarting
  // are.
  void ReviewLive();
  // A slot that nobody wants, for want of others: the fittest, if it is fitter than `least`.
  // nullptr: there is none.
  Slot* LastResort(Fitness least);
  void KillTheLate();
  void KillLateLeaver(Slot& slot, Worker& worker);
  void RetireUnwanted();
  void Retire(Slot& slot);
  // What is kept of slots that nobody wants goes where the kernel can move the queues, as soon as there is
  // somebody to move them to.
  void EvacuateRetired();
  // When all have ended for good: clients are to be refused, not to wait for somebody who does not come.
  void EvacuateStopped();
  // A slot that must serve on, though unwanted, since no other one is live and healthy.
  bool IsLastLive(const Slot& slot) const;
  // Every wanted slot has ended for good and nobody is going to change that: who waits, waits in vain.
  bool AllStopped() const;
  bool LastLiveIsUnwanted() const;
  void SpawnDue();
  void Say(Report::Level level, std::string text);
  // To every command that waits for this slot.
  void TellWaiting(const Slot& slot, const std::string& text);

  // --- The start: start.cc ---
  // Says StartEnded when it is time; and later, that all slots serve after all.
  void ReviewStart();
  // It serves, has ended as it may, or has failed often enough to say so.
  bool HasShown(const Slot& slot) const;
  std::string FailuresText() const;

  // --- A new coordinator: legacy.cc ---
  void Inherit(const Legacy& legacy);
  void Inherit(const Legacy::Found& found);  // who has clients first
  void SettleInherited(Slot& slot);          // who stays, of several
  void InheritLive(const Legacy& legacy);
  // A worker that was believed to accept says that it does not.
  void LeavesAlready(const Place& place);
  void WasNeverAdmitted(const Place& place);

  // --- Commands: commands.cc ---
  int64_t TargetOf(const Scale& scale) const;
  // Why a scale is refused for want of resources; "" if it is not.
  std::string BeyondBounds(const Scale& scale, const std::vector<WorkersBound>& bounds) const;
  void Begin(CommandId id, const Scale& scale);
  void Begin(CommandId id, const Reload&);
  void Begin(CommandId id, const Restart& restart);
  void Begin(CommandId id, const Stop& stop);  // ending.cc
  void Begin(CommandId id, const ReopenLogs&);
  void Begin(CommandId id, const UpgradeSelf&);
  void Begin(CommandId id, const ResetCounts&);
  void Begin(CommandId id, const Ping&);
  void Refuse(CommandId id, const std::string& text);
  void Resize(uint32_t count, std::vector<SlotIndex>* rising);
  // Somebody is to serve here, and at once: what was before is forgotten.
  void Wake(Slot& slot);
  // All that are in it leave. The heirs take idle connections: when all slots restart there are none.
  void RestartSlot(Slot& slot, const std::vector<WorkerId>& heirs);
  // Scale and restart commands that wait for this worker's slot fail.
  void FailWaiting(const Worker& worker, const std::string& reason);
  void AnswerRestarts();
  void AnswerScaling();
  std::string Strength() const;  // "3 of 4 workers serve"

  // --- Roll: roll.cc ---
  void AdvanceRoll();
  bool BeginRoll();  // false: none is queued, or it has to wait
  void ReviewRoll();
  bool StepCurrent(SlotIndex index);  // true: this slot is over
  bool BeginRecycling();              // false: none is due, or it has to wait
  // For what is more important. Nothing happens if none is under way, or if the new worker serves already.
  void AbandonRecycling();
  void FinishRecycling();
  void AbortRecycling(const std::string& reason);
  void FinishRoll();
  void AbortRoll(SlotIndex index, const std::string& reason);
  void EndRoll();  // successors that have not taken over yet are sent away
  void AdmitProven();
  void PromoteSoaked();
  void PromoteSuccessor(Slot& slot);
  // The incumbent serves on, and nobody is to follow it.
  void DismissSuccessor(Slot& slot);
  void DismissCalledOff();

  // --- End: ending.cc ---
  void BeginEnding(const std::string& reason);  // all open commands fail with it
  void GiveUp(int exit_code, const std::string& reason);
  // Asks everybody to leave, more pressingly than before.
  void Press(StopKind kind);
  void FinishIfGone();

  const SupervisorOptions options;
  absl::Time now = absl::InfinitePast();
  Actions actions;  // of this step
  Crew crew;
  CommandLedger ledger;
  Custody custody;
  uint32_t wanted;  // slots 0 .. wanted-1
  bool ever_ready = false;
  std::optional<StartUnderWay> start = StartUnderWay();
  bool incomplete = false;  // the start has ended without all slots, and the rest is still missing
  bool complete_once = false;  // all wanted slots have served at one time
  bool finished = false;
  uint64_t events_ignored = 0;

  std::optional<Roll> roll;
  std::vector<CommandId> queued_reloads;  // they share the next roll
  std::deque<Due> due;                    // one by one, in the order in which they came
  std::optional<Scaling> scaling;
  std::vector<Restarting> restarts;
  std::optional<CommandId> upgrade;                  // the new program is being tried
  absl::Time rebalance_at = absl::InfiniteFuture();  // a newcomer serves: share then
  std::optional<Ending> ending;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_SUPERVISOR_STATE_H_
