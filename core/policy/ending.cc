// The end of the cluster: an operator's stop, or a first boot that failed.
#include <string>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {

void Supervisor::State::BeginEnding(const std::string& reason) {
  ending = Ending{};
  roll.reset();
  scaling.reset();
  restarts.clear();
  queued_reloads.clear();
  due.clear();
  upgrade.reset();
  ledger.FailAll(reason);
}

void Supervisor::State::GiveUp(int exit_code, const std::string& reason) {
  BeginEnding(absl::StrCat("the cluster could not start: ", reason));
  ending->exit_code = exit_code;
  ending->text = reason;
  for (Slot& slot : crew.slots()) {
    for (const Seat seat : kSeats) {
      if ((slot.*seat).has_value()) crew.Kill(now, *(slot.*seat), KillReason::kAborted);
    }
  }
}

void Supervisor::State::Begin(CommandId id, const Stop& stop) {
  if (!ending.has_value()) BeginEnding("the cluster is stopping");
  Press(stop.kind);
  // Only stops can fill the ledger now. The cluster goes on stopping whatever becomes of the answer.
  if (ledger.full()) {
    actions.push_back(
        Acknowledge{id, Outcome::kRefused, "too many stops wait already; the cluster is stopping"});
    return;
  }
  ledger.Open(id);
  ending->stops.push_back(id);
}

void Supervisor::State::Press(StopKind kind) {
  for (Slot& slot : crew.slots()) crew.SetLive(slot, false);
  const DrainKind drain = kind == StopKind::kGraceful ? DrainKind::kHandOver : DrainKind::kPrompt;
  for (Slot& slot : crew.slots()) {
    for (const Seat seat : kSeats) {
      if (!(slot.*seat).has_value()) continue;
      Worker& worker = *(slot.*seat);
      if (kind == StopKind::kAtOnce || worker.state == WorkerState::kStarting ||
          worker.state == WorkerState::kProving) {
        crew.Kill(now, worker, KillReason::kStopNow);
      } else if (Accepts(worker.state)) {
        crew.Drain(now, worker, drain, now + options.kill_timeout, {});
      } else if (worker.state == WorkerState::kDraining && drain == DrainKind::kPrompt &&
                 !worker.prompt) {
        crew.Drain(now, worker, drain, worker.deadline, {});  // no new time
      }
    }
  }
}

void Supervisor::State::FinishIfGone() {
  if (finished || !crew.Empty()) return;
  std::string text = "all workers have left";
  if (ending->killed > 0) {
    absl::StrAppend(&text, "; ", Counted(ending->killed, "worker"), " had to be killed after ",
                    Shown(options.kill_timeout));
  }
  for (const CommandId id : ending->stops) ledger.Answer(id, Outcome::kDone, text);
  actions.push_back(
      Finish{ending->exit_code, ending->text.empty() ? text : ending->text, ending->text.empty()});
  finished = true;
}

}  // namespace uc::policy
