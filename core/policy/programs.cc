// What the end of a worker's program means: the worker stays and keeps its clients, and has its
// program started again when the restart policy says so. SpawnDue() asks for that, in turn with the
// workers that are to be spawned.
//
// Refused: a deadline for the program to be READY. The worker has one, and says ProgramEnded; if it
// hangs itself, its heartbeat tells.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

std::string OfProgram(const std::string& reason) {
  return absl::StrCat("its program ", absl::StartsWith(reason, "killed") ? "was " : "", reason);
}

}  // namespace

void Supervisor::State::On(const ProgramEnded& event) {
  const Place place = crew.Find(event.worker);
  const WorkerState state = place.slot != nullptr ? place.worker().state : WorkerState::kKilled;
  const bool served = state == WorkerState::kServing;
  const bool proves = state == WorkerState::kProving;
  // What was not started cannot end.
  const bool started = state == WorkerState::kRestarting && place.worker().program_asked;
  if (!served && !proves && !started) {
    ++events_ignored;
    return;
  }
  Slot& slot = *place.slot;
  const std::string reason = OfProgram(OneLine(event.reason));
  if (place.seat == &Slot::successor) return SuccessorFailed(slot, reason);
  Worker& worker = place.worker();
  const absl::Duration uptime = served ? now - worker.ready_at : absl::ZeroDuration();
  crew.BeginRestart(now, worker);
  worker.done = MeansDone(event.exit_code, options.restarts);
  worker.ended_for_good = worker.done || !options.restarts.autorestart;
  if (!slot.wanted && worker.ended_for_good) {
    Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": ", reason, "; it was retiring"));
    return;  // DismissEnded() goes on
  }
  if (started && !worker.done) FailWaiting(worker, reason);
  EndedUnasked(slot, worker, uptime, reason);
}

void Supervisor::State::SuccessorFailed(Slot& slot, const std::string& reason) {
  Worker& worker = *slot.successor;
  const std::string text =
      absl::StrCat("generation ", worker.id.generation, ", just ready: ", reason);
  if (worker.state == WorkerState::kProving) {  // it has no clients, and is to get none
    worker.failure = text;
    crew.Kill(now, worker, KillReason::kAborted);
  } else {  // it accepts, so it has to finish
    crew.Drain(now, worker, DrainKind::kHandOver, now + options.kill_timeout, crew.HeirsFor(slot));
  }
  StartFailed(worker, Fault::kOperator, text);
}

void Supervisor::State::DismissEnded() {
  for (Slot& slot : crew.slots()) {
    if (!Accepts(slot) || ServesOn(slot) || SuccessorComes(slot)) continue;
    if (slot.wanted && !slot.stopped_by.has_value()) {
      StayDown(slot, *slot.incumbent, "its program has ended and no successor has come");
    }
    crew.SetLive(slot, false);
    crew.Drain(now, *slot.incumbent, DrainKind::kPrompt, now + options.kill_timeout,
               crew.HeirsBeside(slot));
  }
}

}  // namespace uc::policy
