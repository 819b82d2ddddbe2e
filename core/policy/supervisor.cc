#include "core/policy/supervisor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

constexpr size_t kReasonBytesMax = 300;
constexpr absl::Duration kStarvedReportEvery = absl::Minutes(1);

// What a worker says is gossip: it gets into texts as one line that is not too long.
std::string OneLine(absl::string_view text) {
  std::string line(text.substr(0, kReasonBytesMax));
  std::replace_if(line.begin(), line.end(), absl::ascii_iscntrl, ' ');
  return line.empty() ? "no reason given" : line;
}

}  // namespace

std::string Shown(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

std::string Counted(size_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

Supervisor::State::State(const SupervisorOptions& chosen)
    : options(chosen), crew(chosen, &actions), ledger(&actions), wanted(chosen.workers) {
  UC_CHECK(wanted >= 1 && wanted <= kWorkersMax && options.starting_max >= 1);
}

// --- Events ---

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
  if (place.slot == nullptr || place.worker().state != WorkerState::kStarting) {
    ++events_ignored;
    return;
  }
  ever_ready = true;
  crew.Ready(now, place.worker());
  if (place.seat == &Slot::successor) {
    PromoteSuccessor(*place.slot);
  } else {
    crew.SetLive(*place.slot, true);
    TellWaiting(*place.slot, absl::StrCat("slot ", event.worker.slot, ": generation ",
                                          event.worker.generation, " ready"));
  }
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
  if (worker.state == WorkerState::kStarting) {
    reason = absl::StrCat("worker ", reason, " before it was ready");
    worker.failure = reason;
    StartFailed(worker, Fault::kOperator, reason);
  } else if (worker.state == WorkerState::kDraining && !event.clean) {
    Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": ", reason, " while it drained"));
  }
  Departed(*place.slot, place.seat, worker, worker.failure.empty() ? reason : worker.failure);
}

void Supervisor::State::On(const HealthObserved& event) {
  const Place place = crew.Find(event.worker);
  if (place.slot == nullptr) {
    ++events_ignored;
    return;
  }
  Worker& worker = place.worker();
  // Those that start or leave have a deadline of their own.
  if (worker.state != WorkerState::kServing) return;
  switch (event.health) {
    case Health::kWell:
      return;
    case Health::kStarved:
      if (now < worker.starved_report_after) return;
      worker.starved_report_after = now + kStarvedReportEvery;
      Say(Report::Level::kWarning,
          absl::StrCat(Name(worker.id),
                       ": starved, the machine gives it no CPU; it is left alone"));
      return;
    case Health::kStuck:
      crew.SetLive(*place.slot, false);
      crew.Kill(now, worker, KillReason::kStuck);
      Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": stuck, so it is killed"));
      return;
  }
}

void Supervisor::State::Settle() {
  KillTheLate();
  if (!ending.has_value()) {
    RetireUnwanted();
    AnswerRestarts();
    AdvanceRoll();
    SpawnDue();
  }
  crew.SweepEmptySlots();
  if (ending.has_value()) {
    FinishIfGone();
  } else {
    AnswerScaling();
  }
}

// --- Workers ---

void Supervisor::State::StartFailed(const Worker& worker, Fault fault, const std::string& reason) {
  if (ending.has_value()) return;
  if (!ever_ready) {
    GiveUp(fault == Fault::kOperator ? 2 : 1, reason);
    return;
  }
  if (roll.has_value() && roll->current == worker.id.slot && roll->IsNew(worker)) {
    AbortRoll(reason);
  }
  FailWaiting(worker, reason);
}

void Supervisor::State::Departed(Slot& slot, Seat seat, const Worker& worker,
                                 const std::string& reason) {
  if (seat == &Slot::incumbent) crew.SetLive(slot, false);
  if (ending.has_value()) return;
  if (!slot.wanted) {
    if (!worker.dismissed && worker.state == WorkerState::kServing) {
      Say(Report::Level::kWarning,
          absl::StrCat(Name(worker.id), ": ", reason, "; it was retiring"));
    }
    TellWaiting(slot, absl::StrCat("slot ", slot.index, ": generation ", worker.id.generation,
                                   " has left"));
  } else if (seat == &Slot::leaving) {
    return;  // somebody else serves its slot, or is about to
  } else if (worker.dismissed) {
    slot.spawn_at = now;
  } else if (seat == &Slot::incumbent) {
    DepartedUnasked(slot, worker, reason);
  } else if (!slot.incumbent.has_value() && !worker.failure.empty()) {
    // The successor was the slot's only hope.
    slot.spawn_at = now + slot.restarts.DelayAfterDeath(absl::ZeroDuration(), options.restarts);
  }
}

void Supervisor::State::DepartedUnasked(Slot& slot, const Worker& worker,
                                        const std::string& reason) {
  const bool was_ready = worker.ready_at != absl::InfiniteFuture();
  const absl::Duration uptime = was_ready ? now - worker.ready_at : absl::ZeroDuration();
  const absl::Duration delay = slot.restarts.DelayAfterDeath(uptime, options.restarts);
  slot.spawn_at = now + delay;
  ++slot.restart_count;
  std::string next = "restarted at once";
  if (slot.successor.has_value()) {
    next =
        absl::StrCat("its successor, generation ", slot.successor->id.generation, ", is starting");
  } else if (delay > absl::ZeroDuration()) {
    next = absl::StrCat("next try in ", Shown(delay), " (",
                        Counted(slot.restarts.quick_deaths(), "quick death"), ")");
  }
  Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": ", reason, "; ", next));
  if (roll.has_value() && roll->current == slot.index && roll->IsNew(worker) && was_ready) {
    AbortRoll(absl::StrCat("generation ", worker.id.generation, ", just ready: ", reason));
  }
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
  if (roll.has_value() && roll->current == slot.index) ++roll->killed;
  if (ending.has_value()) ++ending->killed;
  TellWaiting(slot, text);
}

void Supervisor::State::RetireUnwanted() {
  const absl::Span<Slot> slots = crew.slots();
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->wanted || slot->closed) continue;
    if (slot->successor.has_value()) crew.Kill(now, *slot->successor, KillReason::kAborted);
    if (Serves(*slot) && IsLastLive(*slot)) continue;
    crew.SetLive(*slot, false);
    std::optional<WorkerId> incumbent;
    if (slot->incumbent.has_value()) incumbent = slot->incumbent->id;
    crew.Close(*slot);
    if (!incumbent.has_value()) continue;
    Worker& worker = crew.Find(*incumbent).worker();
    if (worker.state == WorkerState::kServing) {
      crew.Drain(now, worker, DrainKind::kRetire, now + options.kill_timeout);
    } else if (worker.state == WorkerState::kStarting) {
      crew.Kill(now, worker, KillReason::kAborted);
    }
    worker.dismissed = true;
  }
}

bool Supervisor::State::IsLastLive(const Slot& slot) const {
  return std::none_of(crew.slots().begin(), crew.slots().end(),
                      [&](const Slot& other) { return other.live && other.index != slot.index; });
}

bool Supervisor::State::LastLiveIsUnwanted() const {
  return std::any_of(crew.slots().begin(), crew.slots().end(), [this](const Slot& slot) {
    return slot.live && !slot.wanted && IsLastLive(slot);
  });
}

void Supervisor::State::SpawnDue() {
  std::vector<Slot*> due;
  for (Slot& slot : crew.slots()) {
    if (slot.wanted && !slot.incumbent.has_value() && !slot.successor.has_value() &&
        Crew::HasRoom(slot) && slot.spawn_at <= now) {
      due.push_back(&slot);
    }
  }
  // Who has waited longest goes first: bad slots cannot keep the others from their turn.
  std::stable_sort(due.begin(), due.end(),
                   [](const Slot* a, const Slot* b) { return a->spawn_at < b->spawn_at; });
  for (Slot* const slot : due) {
    if (!crew.MayStart()) return;
    crew.Spawn(now, *slot, &Slot::incumbent);
  }
}

void Supervisor::State::Say(Report::Level level, std::string text) {
  actions.push_back(Report{level, std::move(text)});
}

void Supervisor::State::TellWaiting(const Slot& slot, const std::string& text) {
  const auto waits = [&](const std::vector<SlotIndex>& slots) {
    return std::find(slots.begin(), slots.end(), slot.index) != slots.end();
  };
  if (roll.has_value() && roll->current == slot.index) {
    for (const CommandId id : roll->commands) ledger.Tell(id, text);
  }
  if (scaling.has_value() && (!slot.wanted || waits(scaling->rising))) {
    ledger.Tell(scaling->command, text);
  }
  for (const Restarting& restart : restarts) {
    if (waits(restart.waiting)) ledger.Tell(restart.command, text);
  }
  if (ending.has_value()) {
    for (const CommandId id : ending->stops) ledger.Tell(id, text);
  }
}

// --- The interface ---

Supervisor::Supervisor(const SupervisorOptions& options)
    : state_(std::make_unique<State>(options)) {}
Supervisor::Supervisor(Supervisor&&) noexcept = default;
Supervisor::~Supervisor() = default;

Actions Supervisor::Start(absl::Time now) {
  state_->now = now;
  for (SlotIndex index = 0; index < state_->wanted; ++index) state_->crew.FindOrAdd(index);
  state_->Settle();
  return std::exchange(state_->actions, {});
}

Actions Supervisor::Step(absl::Time now, const Event& event) {
  UC_CHECK(now >= state_->now);
  if (state_->finished) return {};
  state_->now = now;
  std::visit([this](const auto& happened) { state_->On(happened); }, event);
  state_->Settle();
  return std::exchange(state_->actions, {});
}

absl::Time Supervisor::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  for (const Slot& slot : slots()) {
    for (const Seat seat : kSeats) {
      if ((slot.*seat).has_value()) next = std::min(next, (slot.*seat)->deadline);
    }
    // What is due already waits for a worker to become READY or to leave, not for the time.
    if (slot.wanted && !slot.incumbent.has_value() && slot.spawn_at > state_->now &&
        !state_->ending.has_value()) {
      next = std::min(next, slot.spawn_at);
    }
  }
  return next;
}

absl::Span<const Slot> Supervisor::slots() const { return std::as_const(state_->crew).slots(); }
uint32_t Supervisor::workers_wanted() const { return state_->wanted; }
bool Supervisor::rolling() const { return state_->roll.has_value(); }
bool Supervisor::stopping() const { return state_->ending.has_value(); }
uint64_t Supervisor::events_ignored() const { return state_->events_ignored; }

}  // namespace uc::policy
