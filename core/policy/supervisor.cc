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

void Supervisor::State::Settle() {
  KillTheLate();
  if (!ending.has_value()) {
    AdmitProven();
    DismissCalledOff();
    PromoteSoaked();
    DismissEnded();
    ReviewLive();
    RetireUnwanted();
    EvacuateRetired();
    AnswerRestarts();
    const bool rolled = roll.has_value();
    AdvanceRoll();
    if (rolled && !roll.has_value())
      RetireUnwanted();  // who served in the stead of what it renewed
    EvacuateStopped();
    SpawnDue();
    custody.Settle(crew);
  }
  crew.SweepEmptySlots();
  if (ending.has_value()) {
    FinishIfGone();
    return;
  }
  if (!ever_ready && AllStopped()) {
    GiveUp(0, options.restarts.autorestart
                  ? "every worker has ended with an exit code of --stop-exit-codes before it was "
                    "ready, and so has the cluster"
                  : "every worker has ended well before it was ready, and so has the cluster "
                    "(--no-autorestart)");
    FinishIfGone();
    return;
  }
  AnswerScaling();
  ReviewStart();
  complete_once |= crew.Serving() == static_cast<int>(wanted);
  if (now < rebalance_at || roll.has_value() || scaling.has_value() || !restarts.empty()) return;
  rebalance_at = absl::InfiniteFuture();
  if (options.rebalancing) actions.push_back(Rebalance{});
}

void Supervisor::State::SpawnDue() {
  std::vector<Slot*> due;
  for (Slot& slot : crew.slots()) {
    if (slot.spawn_at > now) continue;
    const bool worker = slot.wanted && !slot.incumbent.has_value() && !SuccessorComes(slot) &&
                        !slot.stopped_by.has_value() && Crew::HasRoom(slot);
    if (worker || AwaitsProgram(slot)) due.push_back(&slot);
  }
  // Who has waited longest goes first: bad slots cannot keep the others from their turn.
  std::stable_sort(due.begin(), due.end(),
                   [](const Slot* a, const Slot* b) { return a->spawn_at < b->spawn_at; });
  for (Slot* const slot : due) {
    if (!crew.MayStart()) return;
    if (slot->incumbent.has_value()) {
      crew.StartProgram(*slot->incumbent);
    } else {
      crew.Spawn(now, *slot, &Slot::incumbent);
    }
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
  if (state_->start.has_value() && state_->ever_ready && !state_->ending.has_value()) {
    next = std::min(next, state_->start->end_at);
  }
  for (const Slot& slot : slots()) {
    for (const Seat seat : kSeats) {
      if ((slot.*seat).has_value()) next = std::min(next, (slot.*seat)->deadline);
    }
    if (state_->ending.has_value()) continue;
    if (slot.successor.has_value() && slot.successor->state == WorkerState::kProving &&
        slot.successor->proven) {
      next = std::min(next, slot.successor->settled_at);
    }
    // A suspect's soak begins anew when it answers again.
    if (slot.successor.has_value() && slot.successor->state == WorkerState::kServing &&
        !slot.successor->suspect) {
      next = std::min(next, slot.successor->soaked_at);
    }
    if (!slot.wanted && !slot.closed && slot.retire_at > state_->now) {
      next = std::min(next, slot.retire_at);
    }
    // What is due already waits for a worker to become READY or to leave, not for the time.
    const bool worker = slot.wanted && !slot.incumbent.has_value() && !slot.stopped_by.has_value();
    if ((worker || AwaitsProgram(slot)) && slot.spawn_at > state_->now) {
      next = std::min(next, slot.spawn_at);
    }
  }
  return next;
}

absl::Span<const Slot> Supervisor::slots() const { return std::as_const(state_->crew).slots(); }
uint32_t Supervisor::workers_wanted() const { return state_->wanted; }
bool Supervisor::rolling() const {
  return state_->roll.has_value() && !state_->roll->recycling.has_value();
}
bool Supervisor::recycling() const {
  return state_->roll.has_value() && state_->roll->recycling.has_value();
}
bool Supervisor::stopping() const { return state_->ending.has_value(); }
bool Supervisor::upgrading() const { return state_->upgrade.has_value(); }
uint64_t Supervisor::events_ignored() const { return state_->events_ignored; }

}  // namespace uc::policy
