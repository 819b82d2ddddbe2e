#include "tests/sim/chronicle.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/policy/crew.h"

namespace uc::sim {

using policy::WorkerState;

namespace {
template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;
// 2: it accepts; 1: it has only those of before.
int HasClients(WorkerState state) {
  return policy::Accepts(state) ? 2 : state == WorkerState::kDraining ? 1 : 0;
}

// A successor that fails beside its incumbent is the roll's misfortune, not the slot's. One beside whom the old one
// drains, or a successor has not come far enough to take its place, is the slot's own.
bool IsSlotsOwn(const Story& story, const Member& member) {
  return std::all_of(story.members.begin(), story.members.end(), [&](const Member& other) {
    if (other.id == member.id) return true;
    if (other.id.generation < member.id.generation) return other.dismissed;
    const bool comes = other.entry == policy::Entry::kOnAdmission && !other.promoted;
    return comes && (other.state == WorkerState::kStarting ||
                     other.state == WorkerState::kProving || policy::Accepts(member.state));
  });
}
}  // namespace

void Chronicle::Happened(absl::Time now, const policy::Event& event,
                         absl::Span<const policy::Action> actions) {
  std::visit(Overloaded{
                 [&](const policy::SpawnFailed& e) { Ended(now, e.worker, std::nullopt); },
                 [&](const policy::WorkerExited& e) { Ended(now, e.worker, e.exit_code); },
                 [&](const policy::ProgramEnded& e) { ProgramEnded(now, e); },
                 [&](const policy::LateHello& e) { SaidLate(now, e); },
                 [&](const policy::LateHolds& e) {
                   const Member* const member = Known(e.worker);
                   if (member == nullptr || e.slot >= policy::kWorkersMax) return;
                   std::vector<policy::WorkerId>& stand_ins = slots_[e.slot].stand_ins;
                   std::erase(stand_ins, e.worker);
                   stand_ins.push_back(e.worker);
                 },
                 [&](const policy::RecycleDue& e) {
                   if (Member* const member = Known(e.worker)) member->recycle_due = true;
                 },
                 [&](const policy::WorkerReady& e) { Ready(now, e.worker); },
                 [&](const policy::ListenersKept& e) { Kept(e.slot); },
                 [&](const policy::ProbeAnswered& e) {
                   Member* const member = Known(e.worker);
                   if (member == nullptr || member->state != WorkerState::kProving) return;
                   member->proven = e.passed && member->probed;
                 },
                 [&](const policy::WorkerRefused& e) {
                   Member* const member = Known(e.worker);
                   if (member == nullptr || member->state != WorkerState::kStarting) return;
                   member->refused = true;
                 },
                 [&](const policy::HealthObserved& e) { Observed(now, e); },
                 [&](const policy::CommandGiven& e) {
                   Given(e, std::any_of(actions.begin(), actions.end(), [&](const auto& action) {
                           const auto* answer = std::get_if<policy::Acknowledge>(&action);
                           return answer != nullptr && answer->command == e.id &&
                                  answer->outcome == policy::Outcome::kRefused;
                         }));
                 },
                 [&](const policy::UpgradeFailed& e) {
                   if (upgrade == e.command) upgrade.reset();
                 },
                 [&](const policy::Woke&) {},
             },
             event);
}

void Chronicle::Ready(absl::Time now, const policy::WorkerId& id) {
  Member* const member = Known(id);
  if (member == nullptr) return;
  if (member->state == WorkerState::kRestarting) {
    member->state = WorkerState::kServing;
    member->program_asked = false;
    member->ready_at = member->well_since = now;
    return;
  }
  if (member->state != WorkerState::kStarting) return;
  ever_ready = true;
  member->ready_at = now;
  if (member->entry == policy::Entry::kAtOnce) {
    member->state = WorkerState::kServing;
    member->well_since = now;
  } else {
    member->state = WorkerState::kProving;
    member->since = now;
  }
}

void Chronicle::Kept(policy::SlotIndex slot) {
  Story& story = slots_[slot];
  if (story.kept) return;
  story.kept = true;
  story.binder.reset();
  for (const Member& member : story.members) {
    if (member.state == WorkerState::kStarting && member.entry == policy::Entry::kAtOnce) {
      story.binder = member.id;
    }
  }
}

void Chronicle::Observed(absl::Time now, const policy::HealthObserved& event) {
  Member* const member = Known(event.worker);
  if (member == nullptr || !policy::Accepts(member->state)) return;
  if (event.health == policy::Health::kSuspect) member->suspect = true;
  if (event.health == policy::Health::kWell && member->suspect) {
    member->suspect = false;
    member->well_since = now;
  }
}

void Chronicle::Given(const policy::CommandGiven& event, bool refused) {
  open_.insert(event.id);
  stop_given |= std::holds_alternative<policy::Stop>(event.command);
  if (std::holds_alternative<policy::Reload>(event.command)) reloads_.insert(event.id);
  const auto* restart = std::get_if<policy::Restart>(&event.command);
  if (restart != nullptr) DoubtKilled(*restart);
  if (refused) return;
  // Whoever is asked to serve begins anew. A roll does that slot by slot, and new slots have no past.
  const bool scale = std::holds_alternative<policy::Scale>(event.command);
  for (auto& [index, story] : slots_) {
    const bool woken = (scale && story.perhaps_over) ||
                       (restart != nullptr && index == restart->slot.value_or(index));
    if (!woken) continue;
    story.over = false;
    story.quick_ends = 0;
  }
}

void Chronicle::AskedFor(absl::Time now, const policy::Action& action) {
  std::visit(Overloaded{
                 [&](const policy::Spawn& a) {
                   Member member;
                   member.id = a.worker;
                   member.entry = a.entry;
                   member.since = now;
                   member.recycles = a.entry == policy::Entry::kOnAdmission && !rolling_;
                   Story& story = slots_[a.worker.slot];
                   // A successor is pardoned by its promotion.
                   const bool first = rolling_ && !std::exchange(story.renewed, true);
                   if (first && a.entry == policy::Entry::kAtOnce) {
                     story.pardons = std::min(story.pardons + 1, 2);
                   }
                   Started(now, story);
                   story.over = story.perhaps_over = false;
                   newest = std::max(newest, a.worker.generation);
                   story.members.push_back(member);
                   story.tried = true;
                 },
                 [&](const policy::StartEnded&) { ++start_tells; },
                 [&](const policy::Probe& a) {
                   if (Member* const member = Known(a.worker)) member->probed = true;
                 },
                 [&](const policy::Admit& a) {
                   if (Member* const member = Known(a.worker); member != nullptr) {
                     member->state = WorkerState::kServing;
                     member->well_since = now;
                   }
                 },
                 [&](const policy::StartProgram& a) {
                   if (Member* const member = Known(a.worker)) member->program_asked = true;
                   Started(now, slots_[a.worker.slot]);
                 },
                 [&](const policy::Drain& a) {
                   if (Member* const member = Known(a.worker); member != nullptr) {
                     if (member->state != WorkerState::kDraining) member->since = now;
                     member->state = WorkerState::kDraining;
                     member->dismissed = true;
                   }
                 },
                 [&](const policy::Kill& a) {
                   if (Member* const member = Known(a.worker); member != nullptr) {
                     member->state = WorkerState::kKilled;
                     member->dismissed |=
                         a.reason == policy::KillReason::kAborted && !member->refused;
                   }
                 },
                 [&](const policy::SetLive& a) {
                   Story& story = slots_[a.slot];
                   if (story.live && !a.live) story.dark_since = now;
                   story.live = a.live;
                 },
                 [&](const policy::Adopt& a) { slots_[a.slot].stand_ins.push_back(a.worker); },
                 [&](const policy::Release& a) { std::erase(slots_[a.slot].stand_ins, a.worker); },
                 [&](const policy::Evacuate& a) {
                   slots_[a.slot].kept = false;
                   slots_[a.slot].evacuated = newest;
                 },
                 [&](const policy::Upgrade& a) { upgrade = a.command; },
                 [&](const policy::Acknowledge& a) { Answered(a); },
                 [&](const policy::Finish&) { finished = true; },
                 [&](const auto&) {},
             },
             action);
}

void Chronicle::Answered(const policy::Acknowledge& answer) {
  open_.erase(answer.command);
  if (upgrade == answer.command) upgrade.reset();
  // A roll answers all its commands at its end.
  if (reloads_.erase(answer.command) == 1 && answer.outcome != policy::Outcome::kRefused) {
    RollBegins();  // the next one, if there is one
  }
}

void Chronicle::Progress(absl::Time now) {
  NotePromotions();
  size_t progress = 0;
  for (auto& [index, story] : slots_) {
    // A successor beside one that restarts is not the slot's worker yet.
    const Member* const acceptor = Acceptor(index);
    progress += index < wanted_ && acceptor != nullptr && acceptor->state == WorkerState::kServing;
    story.tried = !story.members.empty() || (story.tried && index < wanted_);
    progress += story.tried && index < wanted_;
  }
  if (progress <= start_progress_) return;
  start_progress_ = progress;
  start_progress_at = now;
}

void Chronicle::Wanted(uint32_t wanted) {
  wanted_ = wanted;
  for (auto story = slots_.lower_bound(wanted); story != slots_.end(); ++story) {
    story->second.quick_ends = 0;
    for (Member& member : story->second.members) member.retired = true;
  }
}

void Chronicle::Rolling(bool rolling) {
  if (rolling && !rolling_) RollBegins();
  rolling_ = rolling;
}

void Chronicle::RollBegins() {
  newest_before_roll = newest;
  for (auto& [index, story] : slots_) story.renewed = false;
}

void Chronicle::Started(absl::Time now, Story& story) {
  if (!story.over && BackOffLeft(now, story) == absl::ZeroDuration()) return;
  story.pardons = std::max(story.pardons - 1, 0);
  story.quick_ends = 0;
}

absl::Duration Chronicle::BackOffLeft(absl::Time now, const Story& story) const {
  if (story.quick_ends < 2) return absl::ZeroDuration();
  absl::Duration least = options_.backoff_first;
  for (int end = 2; end < story.quick_ends && least < options_.backoff_max; ++end) least *= 1.5;
  if (story.quick_ends >= options_.restarts_max) least = options_.backoff_max;
  least = std::max(std::min(least, options_.backoff_max), options_.restart_delay);
  return std::max(absl::ZeroDuration(), least - (now - story.last_end));
}

// A roll forgives when the new worker takes over.
void Chronicle::NotePromotions() {
  for (auto& [index, story] : slots_) {
    for (Member& member : story.members) {
      if (member.state != WorkerState::kServing) continue;
      const bool comes = member.entry == policy::Entry::kOnAdmission && !member.promoted;
      if (comes && Acceptor(index) == &member) {
        member.promoted = true;
        if (!member.recycles) story.quick_ends = 0;
      }
    }
  }
}

void Chronicle::Reborn(absl::Time now, const policy::Legacy& legacy, Header header) {
  for (auto& [index, story] : slots_) {
    Story again;
    again.live = story.live;
    again.dark_since = story.dark_since;
    story = std::move(again);
  }
  served_before_rebirth.clear();
  restarting_before_rebirth.clear();
  impossible_.clear();
  if (header == Header::kLies) newest = 0;  // nobody can know any more
  if (legacy.newest_generation <= policy::kGenerationMax) {
    newest = std::max(newest, legacy.newest_generation);
  }
  std::vector<policy::Legacy::Found> workers = legacy.workers;
  std::sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) {
    const int more = HasClients(a.state) - HasClients(b.state);
    return more != 0 ? more > 0 : a.worker.generation < b.worker.generation;
  });
  for (const policy::Legacy::Found& found : workers) Inherit(now, found);
  for (const policy::SlotIndex slot : legacy.listeners) {
    if (slot < policy::kWorkersMax) slots_[slot].kept = true;
  }
  for (const policy::SlotIndex slot : legacy.stopped) {
    if (slot >= policy::kWorkersMax) continue;
    slots_[slot].perhaps_over = true;
    slots_[slot].over = slots_[slot].members.empty();
  }
  wanted_ = legacy.workers_wanted;
  start_tells = 0;
  start_progress_ = 0;
  start_progress_at = now;
  newest_before_roll = newest;
  ever_ready = true;
  stop_given = false;
  upgrade.reset();
  open_.clear();
  reloads_.clear();
}

// Those with clients come first: of those that accept there may be a third one, and the seats are theirs.
void Chronicle::Inherit(absl::Time now, const policy::Legacy::Found& found) {
  const policy::WorkerId& id = found.worker;
  Member member;
  member.id = id;
  member.state = found.state;
  // Who is believed to serve is thought to have been ready by now.
  member.ready_at = policy::Accepts(found.state) ? std::min(found.ready_at, now) : found.ready_at;
  member.since = member.well_since = now;
  member.inherited = true;
  member.unheard = !found.answered;
  member.dismissed = !policy::Accepts(found.state);
  if (id.slot >= policy::kWorkersMax || id.generation == 0 ||
      id.generation > policy::kGenerationMax ||
      At(id.slot).members.size() >= (policy::Accepts(found.state) ? 3 : 2)) {
    impossible_.push_back(member);
    return;
  }
  newest = std::max(newest, id.generation);
  if (policy::Accepts(found.state)) served_before_rebirth.push_back(id);
  if (found.state == WorkerState::kRestarting) restarting_before_rebirth.push_back(id);
  std::vector<Member>& members = slots_[id.slot].members;
  const auto younger = std::find_if(members.begin(), members.end(), [&](const Member& other) {
    return other.id.generation > id.generation;
  });
  members.insert(younger, member);
  for (const policy::SlotIndex slot : found.adopted) {
    if (slot < policy::kWorkersMax) slots_[slot].stand_ins.push_back(id);
  }
}

void Chronicle::Ended(absl::Time now, const policy::WorkerId& id, std::optional<int> exit_code) {
  const Member* const member = Known(id);
  if (member == nullptr) return;
  if (std::erase_if(impossible_, [&](const Member& other) { return other.id == id; }) > 0) return;
  Story& story = slots_[id.slot];
  const bool served = member->ready_at != absl::InfiniteFuture() && now > member->ready_at &&
                      member->state != WorkerState::kRestarting;
  EndedUnasked(now, story, *member, exit_code,
               served ? now - member->ready_at : absl::ZeroDuration());
  const policy::WorkerId gone = id;
  std::erase_if(story.members, [&](const Member& other) { return other.id == gone; });
  for (auto& [index, other] : slots_) std::erase(other.stand_ins, gone);
}

void Chronicle::ProgramEnded(absl::Time now, const policy::ProgramEnded& event) {
  Member* const member = Known(event.worker);
  if (member == nullptr) return;
  const bool served = member->state == WorkerState::kServing;
  if (!served && !(member->state == WorkerState::kRestarting && member->program_asked)) return;
  EndedUnasked(now, slots_[event.worker.slot], *member, event.exit_code,
               served && now > member->ready_at ? now - member->ready_at : absl::ZeroDuration());
  member->state = WorkerState::kRestarting;
  member->program_asked = false;
  // It begins anew, as one that had been spawned in its place: neither for a roll nor to recycle
  // anybody.
  member->entry = policy::Entry::kAtOnce;
  member->recycles = false;
}

void Chronicle::SaidLate(absl::Time now, const policy::LateHello& event) {
  Member* const member = Known(event.worker);
  if (member == nullptr || !member->inherited || !policy::Accepts(member->state)) return;
  member->unheard = false;
  switch (event.phase) {
    case policy::LateHello::Phase::kProving:
      member->state = WorkerState::kProving;
      return;
    case policy::LateHello::Phase::kServing:
      if (member->state == WorkerState::kRestarting) Ready(now, event.worker);
      return;
    case policy::LateHello::Phase::kRestarting:
      if (member->state == WorkerState::kServing) {
        ProgramEnded(now, {event.worker, false, "", std::nullopt});
      }
      return;
    case policy::LateHello::Phase::kDraining:
      member->state = WorkerState::kDraining;
      member->since = now;
      member->dismissed = true;
      return;
  }
}

void Chronicle::EndedUnasked(absl::Time now, Story& story, const Member& ended,
                             std::optional<int> exit_code, absl::Duration life) {
  const Member* const member = &ended;
  const policy::WorkerId& id = ended.id;
  const bool done = policy::MeansDone(exit_code, options_) && member->state != WorkerState::kKilled;
  story.perhaps_over |= done || !options_.autorestart;
  const bool incumbent = member->entry == policy::Entry::kAtOnce || policy::Accepts(member->state);
  const bool stays_down = !options_.autorestart || (done && incumbent);
  if (stays_down && !member->unclear && !member->dismissed && !member->retired &&
      id.slot < wanted_ && story.members.size() == 1) {
    story.over = true;
  }
  // What was done is no failure: it ends the row, unless a successor is on its way after a short life.
  const bool followed =
      std::any_of(story.members.begin(), story.members.end(), [&](const Member& other) {
        return other.id.generation > id.generation && other.state != WorkerState::kDraining &&
               other.state != WorkerState::kKilled;
      });
  if ((done && !followed) || member->unclear) {
    story.quick_ends = 0;
  } else if (!member->dismissed && !member->retired && id.slot < wanted_) {
    const bool good = life >= std::max(options_.min_uptime, options_.backoff_first);
    const bool counts = IsSlotsOwn(story, ended);
    if (good) {
      story.quick_ends = 0;
    } else if (counts) {
      ++story.quick_ends;
    }
    if (good || counts) story.last_end = now;
  }
}

// Whether the command was carried out or refused is not seen by those that were killed already: neither
// a crash nor an end that was asked for may be made of theirs.
void Chronicle::DoubtKilled(const policy::Restart& restart) {
  for (auto& [index, story] : slots_) {
    if (index != restart.slot.value_or(index)) continue;
    for (Member& member : story.members) {
      member.unclear |= member.state == WorkerState::kKilled;
    }
  }
}

const Story& Chronicle::At(policy::SlotIndex slot) const {
  static const Story nothing;
  const auto found = slots_.find(slot);
  return found == slots_.end() ? nothing : found->second;
}

Member* Chronicle::Known(const policy::WorkerId& id) { return const_cast<Member*>(Find(id)); }

const Member* Chronicle::Find(const policy::WorkerId& id) const {
  for (const Member& member : At(id.slot).members) {
    if (member.id == id) return &member;
  }
  for (const Member& member : impossible_) {
    if (member.id == id) return &member;
  }
  return nullptr;
}

const Member* Chronicle::Acceptor(policy::SlotIndex slot) const {
  for (const Member& member : At(slot).members) {
    if (policy::Accepts(member.state)) return &member;
  }
  return nullptr;
}

const Member* Chronicle::Incumbent(policy::SlotIndex slot) const {
  for (const Member& member : At(slot).members) {
    if (member.state == WorkerState::kServing) return &member;
  }
  return nullptr;
}

bool Chronicle::Healthy(policy::SlotIndex slot) const {
  const Member* const acceptor = Acceptor(slot);
  return acceptor != nullptr && acceptor->state == WorkerState::kServing && !acceptor->suspect;
}

bool Chronicle::HealthyBeside(policy::SlotIndex slot, policy::SlotIndex end) const {
  for (const auto& [index, story] : slots_) {
    if (index >= end) return false;
    if (index != slot && Healthy(index)) return true;
  }
  return false;
}

std::vector<const Member*> Chronicle::StandIns(const Story& story) const {
  std::vector<const Member*> accepting;
  for (const policy::WorkerId& id : story.stand_ins) {
    const Member* const stand_in = Find(id);
    if (stand_in != nullptr && policy::Accepts(stand_in->state)) {
      accepting.push_back(stand_in);
    }
  }
  return accepting;
}

bool Chronicle::Silent(const Story& story) const {
  if (!story.binder.has_value()) return false;
  const Member* const binder = Find(*story.binder);
  return binder != nullptr && binder->state == WorkerState::kStarting;
}

int Chronicle::ServingBelow(policy::SlotIndex end) const {
  int serving = 0;
  for (const auto& [index, story] : slots_) serving += index < end && Serves(index);
  return serving;
}

int Chronicle::Live() const {
  int live = 0;
  for (const auto& [index, story] : slots_) live += story.live;
  return live;
}

int Chronicle::Starting() const {
  int starting = 0;
  for (const auto& [index, story] : slots_) {
    starting += std::count_if(story.members.begin(), story.members.end(), [](const Member& member) {
      return member.state == WorkerState::kStarting ||
             (member.state == WorkerState::kRestarting && member.program_asked);
    });
  }
  return starting;
}

int Chronicle::Alive() const {
  int alive = 0;
  for (const auto& [index, story] : slots_) alive += static_cast<int>(story.members.size());
  return alive;
}

}  // namespace uc::sim
