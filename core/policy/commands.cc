// What each command sets going, and when it is answered. Reload: roll.cc. Stop: ending.cc.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {

void Supervisor::State::On(const CommandGiven& event) {
  const bool stop = std::holds_alternative<Stop>(event.command);
  const bool harmless = std::holds_alternative<Ping>(event.command) ||
                        std::holds_alternative<ReopenLogs>(event.command);
  if (upgrade.has_value() && !stop && !harmless) {
    Refuse(event.id, "an upgrade of the coordinator is under way; try again when it is over");
    return;
  }
  if (!stop && (ending.has_value() || ledger.full())) {
    Refuse(event.id, ending.has_value()
                         ? "the cluster is stopping"
                         : absl::StrCat(kCommandsMax, " commands wait already; try again later"));
    return;
  }
  if (const auto* const scale = std::get_if<Scale>(&event.command)) {
    const std::string why = BeyondBounds(*scale, event.bounds);
    if (!why.empty()) return Refuse(event.id, why);
  }
  std::visit([&](const auto& command) { Begin(event.id, command); }, event.command);
}

void Supervisor::State::Refuse(CommandId id, const std::string& text) {
  actions.push_back(Acknowledge{id, Outcome::kRefused, text});
}

void Supervisor::State::Begin(CommandId id, const ReopenLogs&) {
  actions.push_back(ReopenLogFiles{});
  actions.push_back(Acknowledge{id, Outcome::kDone, "log files are reopened"});
}

void Supervisor::State::Begin(CommandId id, const UpgradeSelf&) {
  const bool rolls = roll.has_value() && !roll->recycling.has_value();
  if (rolls || !queued_reloads.empty() || scaling.has_value() || !restarts.empty()) {
    Refuse(id, "another command is under way; wait for its end");
    return;
  }
  AbandonRecycling();
  ledger.Open(id);
  upgrade = id;
  actions.push_back(Upgrade{id});
}

void Supervisor::State::On(const UpgradeFailed& event) {
  if (upgrade != event.command) {
    ++events_ignored;
    return;
  }
  upgrade.reset();
  ledger.Answer(event.command, Outcome::kFailed,
                absl::StrCat("the coordinator goes on as it was: ", event.reason));
}

void Supervisor::State::Begin(CommandId id, const ResetCounts&) {
  for (Slot& slot : crew.slots()) slot.restart_count = 0;
  actions.push_back(Acknowledge{id, Outcome::kDone, "restarts are counted from 0 again"});
}

void Supervisor::State::Begin(CommandId id, const Ping&) {
  actions.push_back(Acknowledge{id, Outcome::kDone, absl::StrCat("pong: ", Strength())});
}

std::string Supervisor::State::Strength() const {
  return absl::StrCat(crew.Serving(), " of ", Counted(wanted, "worker"), " serving");
}

// --- Scale ---

int64_t Supervisor::State::TargetOf(const Scale& scale) const {
  constexpr int64_t kFar = int64_t{1} << 32;  // the sum below cannot overflow
  const int64_t count = std::clamp(scale.count, -kFar, kFar);
  return scale.kind == Scale::Kind::kRelative ? static_cast<int64_t>(wanted) + count : count;
}

std::string Supervisor::State::BeyondBounds(const Scale& scale,
                                            const std::vector<WorkersBound>& bounds) const {
  const int64_t target = TargetOf(scale);
  // What is there already stays; and what the mode allows is said first.
  if (target <= wanted || target > options.workers_max) return "";
  for (const WorkersBound& bound : bounds) {
    if (target <= bound.workers) continue;
    return absl::StrCat(ToString(scale), ": ", Counted(target, "worker"),
                        " cannot be had, at most ", std::max(bound.workers, wanted), ": ",
                        bound.why);
  }
  return "";
}

void Supervisor::State::Begin(CommandId id, const Scale& scale) {
  const std::string asked = ToString(scale);
  const int64_t target = TargetOf(scale);
  if (target < 1) {
    const std::string present = scale.kind == Scale::Kind::kAbsolute
                                    ? ""
                                    : absl::StrCat(" of the ", Counted(wanted, "worker"));
    Refuse(id, absl::StrCat("at least 1", present, " must stay; to end the cluster use stop"));
    return;
  }
  if (target > static_cast<int64_t>(options.workers_max)) {
    Refuse(id, absl::StrCat("this cluster has at most ", options.workers_max, " workers",
                            options.workers_max < kWorkersMax ? " in its mode" : ""));
    return;
  }
  ledger.Open(id);
  Scaling next;
  if (scaling.has_value()) {
    ledger.Answer(scaling->command, Outcome::kFailed, absl::StrCat("superseded by ", asked));
    next.rising = std::move(scaling->rising);
  }
  next.command = id;
  Resize(static_cast<uint32_t>(target), &next.rising);
  scaling = std::move(next);
}

void Supervisor::State::Resize(uint32_t count, std::vector<SlotIndex>* rising) {
  for (SlotIndex index = wanted; index < count; ++index) {
    Slot& slot = crew.FindOrAdd(index);
    slot.wanted = true;
    if (Serves(slot)) continue;  // it was not retired yet
    Wake(slot);
    rising->push_back(index);
  }
  for (Slot& slot : crew.slots()) {
    if (slot.index >= std::min(wanted, count) || !slot.stopped_by.has_value()) continue;
    Wake(slot);
    rising->push_back(slot.index);
  }
  for (Slot& slot : crew.slots()) slot.wanted = slot.index < count;
  std::erase_if(*rising, [count](SlotIndex index) { return index >= count; });
  wanted = count;
}

void Supervisor::State::AnswerScaling() {
  if (!scaling.has_value()) return;
  std::erase_if(scaling->rising, [this](SlotIndex index) {
    const Slot& slot = *crew.Find(index);
    return Serves(slot) || slot.stopped_by.has_value();
  });
  if (!scaling->rising.empty() || crew.slots().size() != wanted) return;
  ledger.Answer(scaling->command, Outcome::kDone, Strength());
  scaling.reset();
}

void Supervisor::State::Wake(Slot& slot) {
  slot.stopped_by.reset();
  slot.restarts = RestartPolicy();
  slot.failure.clear();
  slot.spawn_at = absl::InfinitePast();
}

// --- Restart ---

void Supervisor::State::Begin(CommandId id, const Restart& restart) {
  if (restart.slot.has_value() && *restart.slot >= wanted) {
    Refuse(id, absl::StrCat(
                   "no such slot; there ",
                   wanted == 1 ? "is only slot 0" : absl::StrCat("are slots 0 to ", wanted - 1)));
    return;
  }
  if (!restart.slot.has_value() || (roll.has_value() && roll->Renews(*restart.slot))) {
    AbandonRecycling();
  }
  if ((roll.has_value() && !roll->recycling.has_value()) || !queued_reloads.empty()) {
    Refuse(id, "a roll is under way and renews every worker; wait for its end");
    return;
  }
  ledger.Open(id);
  Restarting next;
  next.command = id;
  next.first_generation = crew.next_generation();
  for (Slot& slot : crew.slots()) {
    if (!slot.wanted || slot.index != restart.slot.value_or(slot.index)) continue;
    next.waiting.push_back(slot.index);
    RestartSlot(slot, restart.slot.has_value() ? crew.HeirsBeside(slot) : std::vector<WorkerId>());
  }
  next.total = next.waiting.size();
  restarts.push_back(std::move(next));
}

void Supervisor::State::RestartSlot(Slot& slot, const std::vector<WorkerId>& heirs) {
  Wake(slot);
  crew.SetLive(slot, false);
  // After a roll that was aborted a successor can be the only hope of its slot.
  for (const Seat seat : {&Slot::incumbent, &Slot::successor}) {
    if (!(slot.*seat).has_value()) continue;
    Worker& worker = *(slot.*seat);
    if (Accepts(worker.state)) {
      crew.Drain(now, worker, DrainKind::kPrompt, now + options.kill_timeout, heirs);
    } else if (worker.state == WorkerState::kStarting || worker.state == WorkerState::kProving) {
      crew.Kill(now, worker, KillReason::kAborted);
    }
    worker.dismissed = true;
  }
}

void Supervisor::State::AnswerRestarts() {
  for (Restarting& restart : restarts) {
    std::erase_if(restart.waiting, [&](SlotIndex index) {
      const Slot* const slot = crew.Find(index);
      return slot == nullptr || !slot->wanted ||
             slot->stopped_by.value_or(0) >= restart.first_generation ||
             (Serves(*slot) && slot->incumbent->id.generation >= restart.first_generation);
    });
    if (!restart.waiting.empty()) continue;
    ledger.Answer(restart.command, Outcome::kDone,
                  absl::StrCat("restarted ", Counted(restart.total, "slot"), "; ", Strength()));
  }
  std::erase_if(restarts, [](const Restarting& restart) { return restart.waiting.empty(); });
}

// --- Failure ---

void Supervisor::State::FailWaiting(const Worker& worker, const std::string& reason) {
  const SlotIndex index = worker.id.slot;
  const auto waits = [&](const std::vector<SlotIndex>& slots) {
    return std::find(slots.begin(), slots.end(), index) != slots.end();
  };
  const bool held = LastLiveIsUnwanted();
  const std::string text = absl::StrCat("slot ", index, " failed to start: ", reason,
                                        "; the cluster goes on trying with back-off",
                                        held ? ", and a slot to be retired serves until then" : "");
  if (scaling.has_value() && (held || waits(scaling->rising))) {
    ledger.Answer(scaling->command, Outcome::kFailed, text);
    scaling.reset();
  }
  std::erase_if(restarts, [&](const Restarting& restart) {
    if (worker.id.generation < restart.first_generation || !waits(restart.waiting)) return false;
    ledger.Answer(restart.command, Outcome::kFailed, text);
    return true;
  });
}

}  // namespace uc::policy
