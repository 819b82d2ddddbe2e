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
constexpr absl::Duration kReconnectTime = absl::Seconds(1);
constexpr absl::Duration kReportEvery = absl::Minutes(1);  // of one worker, of one kind

}  // namespace

std::string OneLine(absl::string_view text) {
  std::string line(text.substr(0, kReasonBytesMax));
  std::replace_if(line.begin(), line.end(), absl::ascii_iscntrl, ' ');
  return line.empty() ? "no reason given" : line;
}

std::string Shown(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

std::string Counted(size_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

Supervisor::State::State(const SupervisorOptions& chosen)
    : options(chosen),
      crew(chosen, &actions),
      ledger(&actions),
      custody(&actions),
      wanted(chosen.workers) {
  UC_CHECK(wanted >= 1 && wanted <= options.workers_max && options.workers_max <= kWorkersMax);
  UC_CHECK(options.starting_max >= 1 && options.roll_width >= 1);
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
  crew.Ready(now, *place.slot, place.seat);
  if (place.seat == &Slot::successor) return;  // PromoteSoaked() goes on
  crew.SetLive(*place.slot, true);
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
  if (worker.state == WorkerState::kStarting) {
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
      Trust(worker);
      return;
    case Health::kStarved:
      if (now < worker.starved_report_after) return;
      worker.starved_report_after = now + kReportEvery;
      Say(Report::Level::kWarning,
          absl::StrCat(Name(worker.id),
                       ": starved, the machine gives it no CPU; it is left alone"));
      return;
    case Health::kSuspect:
      Suspect(*place.slot, worker);
      return;
    case Health::kStuck:
      if (place.seat == &Slot::incumbent) crew.SetLive(*place.slot, false);
      crew.Kill(now, worker, KillReason::kStuck);
      Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": stuck, so it is killed"));
      if (place.seat == &Slot::successor) {
        worker.failure = "stuck, though it had been ready";
        StartFailed(worker, Fault::kOperator, worker.failure);
      }
      return;
  }
}

void Supervisor::State::Suspect(Slot& slot, Worker& worker) {
  if (worker.suspect) return;
  worker.suspect = true;
  if (worker.soaked_at != absl::InfiniteFuture()) worker.soaked_at = now + options.soak;
  if (now < worker.suspect_report_after) return;
  worker.suspect_report_after = now + kReportEvery;
  worker.suspect_told = true;
  Say(Report::Level::kWarning,
      absl::StrCat(Name(worker.id), ": silent while work waits for it; ",
                   slot.incumbent->id == worker.id ? "others take its new connections meanwhile"
                                                   : "its soak begins anew"));
}

void Supervisor::State::Trust(Worker& worker) {
  if (!std::exchange(worker.suspect, false)) return;
  if (worker.soaked_at != absl::InfiniteFuture()) worker.soaked_at = now + options.soak;
  if (!std::exchange(worker.suspect_told, false)) return;
  Say(Report::Level::kInfo, absl::StrCat(Name(worker.id), ": answers again"));
}

void Supervisor::State::ReviewLive() {
  const absl::Span<Slot> slots = crew.slots();
  const bool choice = std::any_of(slots.begin(), slots.end(),
                                  [](const Slot& slot) { return slot.wanted && Healthy(slot); });
  // Up before down: in between new connections must have somewhere to go.
  for (const bool live : {true, false}) {
    for (Slot& slot : slots) {
      if (!slot.wanted || !Serves(slot)) continue;
      if ((Healthy(slot) || !choice) != live) continue;
      if (slot.live && !live) slot.retire_at = now + options.retire_grace;
      crew.SetLive(slot, live);
    }
  }
  const auto lives = [](const Slot& slot) { return slot.live; };
  if (std::any_of(slots.begin(), slots.end(), lives)) return;
  Slot* last = nullptr;
  for (Slot& slot : slots) {
    if (!Serves(slot) || slot.closed || slot.index >= options.workers_max) continue;
    if (last == nullptr || (Healthy(slot) && !Healthy(*last))) last = &slot;
  }
  if (last != nullptr) crew.SetLive(*last, true);
}

void Supervisor::State::Settle() {
  KillTheLate();
  if (!ending.has_value()) {
    PromoteSoaked();
    ReviewLive();
    RetireUnwanted();
    EvacuateRetired();
    AnswerRestarts();
    AdvanceRoll();
    SpawnDue();
    custody.Settle(crew);
  }
  crew.SweepEmptySlots();
  if (ending.has_value()) {
    FinishIfGone();
    return;
  }
  AnswerScaling();
  complete_once |= crew.Serving() == static_cast<int>(wanted);
  if (now < rebalance_at || roll.has_value() || scaling.has_value() || !restarts.empty()) return;
  rebalance_at = absl::InfiniteFuture();
  if (options.rebalancing) actions.push_back(Rebalance{});
}

// --- Workers ---

void Supervisor::State::StartFailed(const Worker& worker, Fault fault, const std::string& reason) {
  if (ending.has_value()) return;
  if (!ever_ready) {
    GiveUp(fault == Fault::kOperator ? 2 : 1, reason);
    return;
  }
  if (roll.has_value() && roll->Renews(worker.id.slot) && roll->IsNew(worker)) {
    AbortRoll(worker.id.slot, reason);
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
  } else if (seat == &Slot::incumbent) {
    if (worker.dismissed) {
      slot.spawn_at = now;
    } else {
      DepartedUnasked(slot, worker, reason);
    }
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
  if (SuccessorComes(slot)) {
    next = absl::StrCat("its successor, generation ", slot.successor->id.generation,
                        ", is on its way");
  } else if (delay > absl::ZeroDuration()) {
    next = absl::StrCat("next try in ", Shown(delay), " (",
                        Counted(slot.restarts.quick_deaths(), "quick death"), ")");
  }
  Say(Report::Level::kWarning, absl::StrCat(Name(worker.id), ": ", reason, "; ", next));
  if (roll.has_value() && roll->Renews(slot.index) && roll->IsNew(worker) && was_ready) {
    AbortRoll(slot.index,
              absl::StrCat("generation ", worker.id.generation, ", just ready: ", reason));
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

void Supervisor::State::RetireUnwanted() {
  const absl::Span<Slot> slots = crew.slots();
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->wanted || slot->closed) continue;
    if (Serves(*slot) && IsLastLive(*slot)) continue;
    if (slot->live) {
      crew.SetLive(*slot, false);
      slot->retire_at = now + options.retire_grace;
    }
    if (!Serves(*slot) || slot->retire_at <= now) Retire(*slot);
  }
}

void Supervisor::State::Retire(Slot& slot) {
  std::vector<WorkerId> members;
  for (const Seat seat : {&Slot::incumbent, &Slot::successor}) {
    if ((slot.*seat).has_value()) members.push_back((slot.*seat)->id);
  }
  crew.Close(slot);
  EvacuateRetired();  // before they hear that they have to leave: the kernel moves what they do not take
  for (const WorkerId& id : members) {
    Worker& worker = crew.Find(id).worker();
    if (worker.state == WorkerState::kServing) {
      crew.Drain(now, worker, DrainKind::kHandOver, now + options.kill_timeout,
                 crew.HeirsBeside(slot));
    } else if (worker.state == WorkerState::kStarting || worker.state == WorkerState::kProving) {
      crew.Kill(now, worker, KillReason::kAborted);
    }
    worker.dismissed = true;
  }
}

void Supervisor::State::EvacuateRetired() {
  if (options.retirement != Retirement::kMigrate) return;
  const absl::Span<Slot> slots = crew.slots();
  if (std::none_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.live; })) return;
  for (const SlotIndex index : custody.kept()) {
    const Slot* const slot = crew.Find(index);
    if (slot != nullptr && (slot->wanted || !slot->closed)) continue;
    custody.Drop(index, crew);
    actions.push_back(Evacuate{index});
  }
}

bool Supervisor::State::IsLastLive(const Slot& slot) const {
  return std::none_of(crew.slots().begin(), crew.slots().end(), [&](const Slot& other) {
    return other.live && Healthy(other) && other.index != slot.index;
  });
}

bool Supervisor::State::LastLiveIsUnwanted() const {
  return std::any_of(crew.slots().begin(), crew.slots().end(), [this](const Slot& slot) {
    return slot.live && !slot.wanted && IsLastLive(slot);
  });
}

void Supervisor::State::SpawnDue() {
  std::vector<Slot*> due;
  for (Slot& slot : crew.slots()) {
    if (slot.wanted && !slot.incumbent.has_value() && !SuccessorComes(slot) &&
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
  if (roll.has_value() && roll->Renews(slot.index)) {
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

Actions Supervisor::Resume(absl::Time now, const Legacy& legacy) {
  state_->now = now;
  state_->Inherit(legacy);
  state_->Settle();
  return std::exchange(state_->actions, {});
}

absl::Time Supervisor::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  // What is due already waits for the end of a command.
  if (state_->rebalance_at > state_->now && !state_->ending.has_value()) {
    next = state_->rebalance_at;
  }
  for (const Slot& slot : slots()) {
    for (const Seat seat : kSeats) {
      if ((slot.*seat).has_value()) next = std::min(next, (slot.*seat)->deadline);
    }
    if (state_->ending.has_value()) continue;
    // A suspect's soak begins anew when it answers again.
    if (slot.successor.has_value() && slot.successor->state == WorkerState::kServing &&
        !slot.successor->suspect) {
      next = std::min(next, slot.successor->soaked_at);
    }
    if (!slot.wanted && !slot.closed && slot.retire_at > state_->now) {
      next = std::min(next, slot.retire_at);
    }
    // What is due already waits for a worker to become READY or to leave, not for the time.
    if (slot.wanted && !slot.incumbent.has_value() && slot.spawn_at > state_->now) {
      next = std::min(next, slot.spawn_at);
    }
  }
  return next;
}

absl::Span<const Slot> Supervisor::slots() const { return std::as_const(state_->crew).slots(); }
uint32_t Supervisor::workers_wanted() const { return state_->wanted; }
bool Supervisor::rolling() const { return state_->roll.has_value(); }
bool Supervisor::stopping() const { return state_->ending.has_value(); }
bool Supervisor::upgrading() const { return state_->upgrade.has_value(); }
uint64_t Supervisor::events_ignored() const { return state_->events_ignored; }

}  // namespace uc::policy
