// What becomes of workers: READY, refused, late, dead; and what the end of one means for its slot.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

constexpr absl::Duration kReconnectTime = absl::Seconds(1);

}  // namespace

void Supervisor::State::On(const SpawnFailed& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr || place.worker().ready_at != absl::InfiniteFuture()) {
    ++events_ignored;
    return;
  }
  Worker worker = *std::exchange(place.slot->*place.seat, std::nullopt);
  const std::string reason = OneLine(event.reason);
  if (worker.state == WorkerState::kStarting) {
    worker.failure = reason;
    StartFailed(worker, event.fault, reason);
  }
  Departed(*place.slot, place.seat, worker, reason);
}

void Supervisor::State::On(const WorkerReady& event) {
  const Place place = crew.Find(event.worker);
  const bool again = place.slot != nullptr && place.worker().state == WorkerState::kRestarting;
  if (place.slot == nullptr || (!again && place.worker().state != WorkerState::kStarting)) {
    ++events_ignored;
    return;
  }
  ever_ready = true;
  crew.Ready(now, *place.slot, place.seat);
  if (place.seat == &Slot::successor) return;   // AdmitProven() goes on
  if (!again) crew.SetLive(*place.slot, true);  // else ReviewLive() knows whether it may
  // Who lost its connection in a crash needs a moment to come back.
  const bool replaced = place.slot->restart_count > 0;
  if (complete_once) rebalance_at = now + (replaced ? kReconnectTime : absl::ZeroDuration());
  TellWaiting(*place.slot, absl::StrCat("slot ", event.worker.slot, ": generation ",
                                        event.worker.generation, " ready"));
}

void Supervisor::State::On(const ListenersKept& event) {
  const Slot* const slot = crew.Find(event.slot);
  const bool starts = slot != nullptr && slot->incumbent.has_value() &&
                      slot->incumbent->state == WorkerState::kStarting;
  custody.Keep(event.slot, starts ? std::optional<WorkerId>(slot->incumbent->id) : std::nullopt);
}

void Supervisor::State::On(const WorkerRefused& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr || place.worker().state != WorkerState::kStarting) {
    ++events_ignored;
    return;
  }
  place.worker().failure = OneLine(event.reason);
  StartFailed(place.worker(), event.fault, place.worker().failure);
  // It said what there was to say; waiting for its exit must not depend on its good will.
  crew.Kill(now, place.worker(), KillReason::kAborted);
}

void Supervisor::State::On(const WorkerExited& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr) {
    ++events_ignored;
    return;
  }
  Worker worker = *std::exchange(place.slot->*place.seat, std::nullopt);
  std::string reason = OneLine(event.reason);
  // What we killed did not end by itself, whatever the code says.
  worker.done = place.seat == &Slot::incumbent && worker.state != WorkerState::kKilled &&
                MeansDone(event.exit_code, options.restarts);
  if (worker.done) {
    // It is neither a crash nor a start that failed.
  } else if (worker.state == WorkerState::kStarting) {
    reason = absl::StrCat("worker ", reason, " before it was ready");
    worker.failure = reason;
    StartFailed(worker, Fault::kOperator, reason);
  } else if (place.seat == &Slot::successor && !worker.dismissed &&
             (worker.state == WorkerState::kProving || worker.state == WorkerState::kServing)) {
    worker.failure = absl::StrCat("generation ", worker.id.generation, ", just ready: ", reason);
    StartFailed(worker, Fault::kOperator, worker.failure);
  } else if (worker.state == WorkerState::kDraining && !event.clean) {
    Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": ", reason, " while it drained"));
  }
  Departed(*place.slot, place.seat, worker, worker.failure.empty() ? reason : worker.failure);
}

void Supervisor::State::StartFailed(const Worker& worker, Fault fault, const std::string& reason) {
  if (ending.has_value()) return;
  NoteFailure(worker.id.slot, reason);
  if (!ever_ready) {
    GiveUp(fault == Fault::kOperator ? 2 : 1, reason);
    return;
  }
  if (roll.has_value() && roll->Renews(worker.id.slot) && roll->IsNew(worker)) {
    AbortRoll(worker.id.slot, reason);
  }
  FailWaiting(worker, reason);
}

void Supervisor::State::NoteFailure(SlotIndex index, const std::string& reason) {
  Slot* const slot = crew.Find(index);
  if (slot == nullptr) return;
  slot->failure = reason;
  slot->failed_at = now;
}

void Supervisor::State::Departed(Slot& slot, Seat seat, const Worker& worker,
                                 const std::string& reason) {
  if (seat == &Slot::incumbent) crew.SetLive(slot, false);
  if (ending.has_value()) return;
  if (!slot.wanted) {
    if (!worker.dismissed && Accepts(worker.state)) {
      Say(Report::Level::kWarning,
          absl::StrCat(Name(worker.id), ": ", reason, "; it was retiring"));
    }
    TellWaiting(slot, absl::StrCat("slot ", slot.index, ": generation ", worker.id.generation,
                                   " has left"));
  } else if (seat == &Slot::leaving) {
    return;  // somebody else serves its slot, or is about to
  } else if (seat == &Slot::incumbent) {
    if (worker.dismissed) {
      slot.spawn_at = now;
    } else {
      const bool served =
          worker.state != WorkerState::kRestarting && worker.ready_at != absl::InfiniteFuture();
      EndedUnasked(slot, worker, served ? now - worker.ready_at : absl::ZeroDuration(), reason);
    }
  } else if (!slot.incumbent.has_value() && !worker.failure.empty()) {
    // The successor was the slot's only hope.
    slot.spawn_at = now + slot.restarts.DelayAfterDeath(absl::ZeroDuration(), options.restarts);
    if (!options.restarts.autorestart && !slot.stopped_by.has_value()) {
      StayDown(slot, worker, reason);
    }
  }
}

void Supervisor::State::StayDown(Slot& slot, const Worker& worker, const std::string& reason) {
  slot.stopped_by = worker.id.generation;
  const std::string text =
      absl::StrCat(reason, "; it stays down until restart, reload or scale (",
                   options.restarts.autorestart ? "--stop-exit-codes" : "--no-autorestart", ")");
  Say(worker.done ? Report::Level::kInfo : Report::Level::kWarning,
      absl::StrCat(Name(worker.id), ": ", text));
  TellWaiting(slot, absl::StrCat("slot ", slot.index, ": ", text));
}

void Supervisor::State::EndedUnasked(Slot& slot, const Worker& worker, absl::Duration uptime,
                                     const std::string& reason) {
  const bool was_ready = worker.ready_at != absl::InfiniteFuture();
  if (worker.done && !SuccessorComes(slot)) {
    slot.failure.clear();  // its end is what was asked for
    return StayDown(slot, worker, reason);
  }
  if (!worker.done) NoteFailure(slot.index, reason);
  const absl::Duration delay = slot.restarts.DelayAfterDeath(uptime, options.restarts);
  slot.spawn_at = now + delay;
  if (SuccessorComes(slot)) {
    ++slot.restart_count;
    Say(Report::Level::kWarning,
        absl::StrCat(Name(worker.id), ": ", reason, "; its successor, generation ",
                     slot.successor->id.generation, ", is on its way"));
  } else if (!options.restarts.autorestart) {
    StayDown(slot, worker, reason);
  } else {
    ++slot.restart_count;
    Say(Report::Level::kWarning,
        absl::StrCat(Name(worker.id), ": ", reason, "; ", NextTry(slot, delay)));
  }
  if (roll.has_value() && roll->Renews(slot.index) && roll->IsNew(worker) && was_ready) {
    AbortRoll(slot.index,
              absl::StrCat("generation ", worker.id.generation, ", just ready: ", reason));
  }
}

std::string Supervisor::State::NextTry(const Slot& slot, absl::Duration delay) const {
  if (delay == absl::ZeroDuration()) return "restarted at once";
  const int quick = slot.restarts.quick_deaths();
  if (quick == 0) return absl::StrCat("next try in ", Shown(delay));
  return absl::StrCat("next try in ", Shown(delay), " (", Counted(quick, "quick death"),
                      slot.restarts.Errored(options.restarts) ? ", errored: --max-restarts" : "",
                      ")");
}

void Supervisor::State::KillTheLate() {
  for (Slot& slot : crew.slots()) {
    for (const Seat seat : kSeats) {
      if (!(slot.*seat).has_value() || (slot.*seat)->deadline > now) continue;
      Worker& worker = *(slot.*seat);
      if (worker.state == WorkerState::kStarting) {
        worker.failure =
            absl::StrCat("not ready within ", Shown(options.listen_timeout),
                         " (does the app's start return? else raise --listen-timeout)");
        crew.Kill(now, worker, KillReason::kLateReady);
        StartFailed(worker, Fault::kWorld, worker.failure);
      } else if (worker.state == WorkerState::kProving) {
        worker.failure =
            absl::StrCat("its probe was not answered within ", Shown(options.listen_timeout),
                         " (does the app answer? else choose another --probe)");
        crew.Kill(now, worker, KillReason::kLateReady);
        StartFailed(worker, Fault::kOperator, worker.failure);
      } else if (worker.state == WorkerState::kDraining) {
        KillLateLeaver(slot, worker);
      }
    }
  }
}

void Supervisor::State::KillLateLeaver(Slot& slot, Worker& worker) {
  crew.Kill(now, worker, KillReason::kLateExit);
  const std::string text =
      absl::StrCat("slot ", slot.index, ": generation ", worker.id.generation,
                   " did not leave within ", Shown(options.kill_timeout), " and is killed");
  Say(Report::Level::kWarning, text);
  if (roll.has_value() && roll->Renews(slot.index)) ++roll->killed;
  if (ending.has_value()) ++ending->killed;
  TellWaiting(slot, text);
}
}  // namespace uc::policy
