#include "tests/sim/chronicle.h"

#include <algorithm>
#include <variant>

namespace uc::sim {

using policy::WorkerState;

namespace {
template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;
}  // namespace

void Chronicle::Happened(absl::Time now, const policy::Event& event) {
  std::visit(Overloaded{
                 [&](const policy::SpawnFailed& e) { Ended(now, e.worker); },
                 [&](const policy::WorkerExited& e) { Ended(now, e.worker); },
                 [&](const policy::WorkerReady& e) {
                   Member* const member = Known(e.worker);
                   if (member == nullptr || member->state != WorkerState::kStarting) return;
                   member->state = WorkerState::kServing;
                   member->ready_at = now;
                   ever_ready = true;
                 },
                 [&](const policy::WorkerRefused& e) {
                   Member* const member = Known(e.worker);
                   if (member == nullptr || member->state != WorkerState::kStarting) return;
                   member->refused = true;
                 },
                 [&](const policy::HealthObserved&) {},
                 [&](const policy::CommandGiven& e) {
                   open_.insert(e.id);
                   stop_given |= std::holds_alternative<policy::Stop>(e.command);
                   if (std::holds_alternative<policy::Scale>(e.command)) last_scale = now;
                   if (const auto* restart = std::get_if<policy::Restart>(&e.command)) {
                     DoubtKilled(*restart);
                   }
                   if (std::holds_alternative<policy::Reload>(e.command) ||
                       std::holds_alternative<policy::Restart>(e.command)) {
                     last_reload_or_restart = now;
                   }
                 },
                 [&](const policy::Woke&) {},
             },
             event);
}

void Chronicle::AskedFor(const policy::Action& action) {
  std::visit(Overloaded{
                 [&](const policy::Spawn& a) {
                   Member member;
                   member.id = a.worker;
                   newest = std::max(newest, a.worker.generation);
                   slots_[a.worker.slot].members.push_back(member);
                   slots_[a.worker.slot].closed = false;
                 },
                 [&](const policy::Drain& a) {
                   if (Member* const member = Known(a.worker); member != nullptr) {
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
                 [&](const policy::SetLive& a) { slots_[a.slot].live = a.live; },
                 [&](const policy::CloseSlot& a) {
                   slots_[a.slot].closed = true;
                   slots_[a.slot].quick_ends = 0;
                 },
                 [&](const policy::Acknowledge& a) { open_.erase(a.command); },
                 [&](const policy::Finish&) { finished = true; },
                 [&](const auto&) {},
             },
             action);
}

void Chronicle::Ended(absl::Time now, const policy::WorkerId& id) {
  const Member* const member = Known(id);
  if (member == nullptr) return;
  Story& story = slots_[id.slot];
  if (member->unclear) {
    story.quick_ends = 0;
  } else if (!member->dismissed && !story.closed) {
    const bool good = member->ready_at != absl::InfiniteFuture() && now > member->ready_at &&
                      now - member->ready_at >= min_uptime_;
    // A successor that fails beside its incumbent is the roll's misfortune, not the slot's.
    const bool beside = story.members.size() > 1;
    if (good) {
      story.quick_ends = 0;
    } else if (!beside) {
      ++story.quick_ends;
    }
    story.last_end = now;
  }
  const policy::WorkerId gone = id;
  std::erase_if(story.members, [&](const Member& other) { return other.id == gone; });
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
  return nullptr;
}

bool Chronicle::Serves(policy::SlotIndex slot) const {
  const std::vector<Member>& members = At(slot).members;
  return std::any_of(members.begin(), members.end(),
                     [](const Member& member) { return member.state == WorkerState::kServing; });
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
      return member.state == WorkerState::kStarting;
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
