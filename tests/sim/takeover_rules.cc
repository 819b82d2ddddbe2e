// The rules about what a new coordinator makes of what it finds, and about the processes that there are. What each one
// says is its name.
#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/policy/crew.h"
#include "tests/policy/policy_text.h"
#include "tests/sim/invariants.h"

namespace uc::sim {

using policy::SlotIndex;
using policy::ToText;
using policy::WorkerState;

std::string RebirthKnowsEverybody(const Moment& moment) {
  if (!moment.reborn) return "";
  for (const policy::WorkerId& id : moment.chronicle.served_before_rebirth) {
    const Member* const member = moment.chronicle.Find(id);
    const bool known = std::any_of(
        moment.view.slots.begin(), moment.view.slots.end(), [&](const policy::Slot& slot) {
          return (slot.incumbent.has_value() && slot.incumbent->id == id) ||
                 (slot.successor.has_value() && slot.successor->id == id) ||
                 (slot.leaving.has_value() && slot.leaving->id == id);
        });
    if (member == nullptr || !known) return absl::StrCat(ToText(id), " is forgotten");
    if (policy::Accepts(member->state)) continue;
    const std::vector<policy::WorkerId>& restarting = moment.chronicle.restarting_before_rebirth;
    const bool restarts = std::find(restarting.begin(), restarting.end(), id) != restarting.end();
    const std::vector<Member>& members = moment.chronicle.At(id.slot).members;
    const bool followed = std::any_of(members.begin(), members.end(), [&](const Member& other) {
      return other.state == WorkerState::kServing || (restarts && policy::Accepts(other.state));
    });
    if (!followed && id.slot < moment.view.wanted) {
      return absl::StrCat(ToText(id), " has to leave, though its slot is wanted");
    }
  }
  return "";
}

std::string WhatCannotBeIsEnded(const Moment& moment) {
  for (const Member& member : moment.chronicle.impossible()) {
    if (member.state == WorkerState::kKilled) continue;
    return absl::StrCat(ToText(member.id), " cannot be, and lives on");
  }
  return "";
}

std::string TablesHaveTheirBounds(const Moment& moment) {
  if (moment.view.wanted > moment.options.workers_max) {
    return absl::StrCat(moment.view.wanted, " workers are wanted, at most ",
                        moment.options.workers_max, " may be");
  }
  for (const policy::Slot& slot : moment.view.slots) {
    if (slot.index >= policy::kWorkersMax) return absl::StrCat("there is a slot ", slot.index);
  }
  for (const policy::Action& action : moment.actions) {
    const auto* spawn = std::get_if<policy::Spawn>(&action);
    if (spawn == nullptr) continue;
    if (spawn->worker.generation == 0 || spawn->worker.generation > policy::kGenerationMax) {
      return absl::StrCat(ToText(action), ": no such generation can be");
    }
  }
  return "";
}

// --- When faults have stopped ---

std::string NobodyIsForgotten(const Moment& moment) {
  if (moment.processes == nullptr) return "";
  for (const auto& [pid, generation] : moment.processes->alive) {
    const auto named = moment.processes->named.find(generation);
    const bool named_so = named != moment.processes->named.end() && named->second == pid;
    const bool known = std::any_of(
        moment.view.slots.begin(), moment.view.slots.end(), [&](const policy::Slot& slot) {
          return std::any_of(
              std::begin(policy::kSeats), std::end(policy::kSeats), [&](policy::Seat seat) {
                return (slot.*seat).has_value() && (slot.*seat)->id.generation == generation;
              });
        });
    if (!named_so || !known) {
      return absl::StrCat("process ", pid, ", generation ", generation, ", lives on unknown");
    }
  }
  return "";
}

std::string WhoServesAccepts(const Moment& moment) {
  if (moment.processes == nullptr) return "";
  for (SlotIndex index = 0; index < moment.view.wanted; ++index) {
    const Member* const incumbent = moment.chronicle.Incumbent(index);
    if (incumbent == nullptr) continue;
    const std::vector<policy::Generation>& deaf = moment.processes->deaf;
    if (std::find(deaf.begin(), deaf.end(), incumbent->id.generation) == deaf.end()) continue;
    return absl::StrCat(ToText(incumbent->id), " is said to serve, and accepts nothing");
  }
  return "";
}

}  // namespace uc::sim
