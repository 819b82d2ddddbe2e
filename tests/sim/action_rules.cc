// The rules about a single action. What each one says is its name.
#include <algorithm>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/policy/crew.h"
#include "tests/policy/policy_text.h"
#include "tests/sim/invariants.h"

namespace uc::sim {

using policy::Action;
using policy::SlotIndex;
using policy::ToText;
using policy::WorkerState;

namespace {

// A drain that hands the work of a running cluster over; nullptr: it is none.
const policy::Drain* HandOver(const Moment& moment, const Action& action) {
  const auto* drain = std::get_if<policy::Drain>(&action);
  if (drain == nullptr || drain->kind != policy::DrainKind::kHandOver || moment.view.stopping) {
    return nullptr;
  }
  return drain;
}

// A back-off is running, or the program has ended for good.
bool ProgramIsNotStartedAtOnce(const Moment& moment, const policy::WorkerId& id) {
  for (const policy::Slot& slot : moment.view.slots) {
    if (slot.index != id.slot) continue;
    if (slot.spawn_at > moment.now) return true;
    for (const policy::Seat seat : policy::kSeats) {
      if ((slot.*seat).has_value() && (slot.*seat)->id == id) return (slot.*seat)->ended_for_good;
    }
  }
  return false;
}

bool OlderOneServes(const Moment& moment, const policy::WorkerId& id) {
  const Member* const incumbent = moment.chronicle.Incumbent(id.slot);
  return incumbent != nullptr && incumbent->id.generation < id.generation;
}

}  // namespace

namespace {

// Where this action starts a worker, or the program of one.
std::optional<SlotIndex> StartsIn(const Action& action) {
  if (const auto* spawn = std::get_if<policy::Spawn>(&action)) return spawn->worker.slot;
  if (const auto* start = std::get_if<policy::StartProgram>(&action)) return start->worker.slot;
  return std::nullopt;
}

// Whom this action tells something.
std::optional<policy::WorkerId> Addressee(const Action& action) {
  return std::visit(
      [](const auto& one) -> std::optional<policy::WorkerId> {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (requires { one.worker; } && !std::is_same_v<Kind, policy::Spawn>) {
          return one.worker;
        } else {
          return std::nullopt;
        }
      },
      action);
}

}  // namespace

std::string OnlyOurProcessesAreNamed(const Moment& moment, const Action& action) {
  const std::optional<policy::WorkerId> worker = Addressee(action);
  if (!worker.has_value() || moment.processes == nullptr) return "";
  const auto named = moment.processes->named.find(worker->generation);
  if (named == moment.processes->named.end()) return "";  // it is being born
  const auto process = moment.processes->alive.find(named->second);
  if (process != moment.processes->alive.end() && process->second == worker->generation) return "";
  return absl::StrCat(ToText(action), ": would reach process ", named->second,
                      ", which is another one");
}

std::string FinishLeavesNobody(const Moment& moment, const Action& action) {
  if (!std::holds_alternative<policy::Finish>(action) || moment.processes == nullptr) return "";
  // What cannot be holds no slot: it was killed, and nobody waits for its end.
  const std::vector<Member>& impossible = moment.chronicle.impossible();
  for (const auto& [pid, generation] : moment.processes->alive) {
    const bool killed =
        std::any_of(impossible.begin(), impossible.end(), [&](const Member& member) {
          return member.id.generation == generation && member.state == WorkerState::kKilled;
        });
    if (!killed) return absl::StrCat("generation ", generation, " lives on");
  }
  return "";
}

std::string ActionNamesALivingWorker(const Moment& moment, const Action& action) {
  const Member* member = nullptr;
  if (const auto* drain = std::get_if<policy::Drain>(&action)) {
    member = moment.chronicle.Find(drain->worker);
    if (member != nullptr &&
        (policy::Accepts(member->state) || member->state == WorkerState::kDraining)) {
      return "";
    }
  } else if (const auto* kill = std::get_if<policy::Kill>(&action)) {
    member = moment.chronicle.Find(kill->worker);
    // Whether a former coordinator came to its SIGKILL is not known.
    if (member != nullptr && (member->state != WorkerState::kKilled || moment.reborn)) return "";
  } else {
    return "";
  }
  return absl::StrCat(ToText(action), member == nullptr ? ": no such worker lives"
                                                        : ": this worker is not to be told so");
}

std::string GenerationsAreNew(const Moment& moment, const Action& action) {
  const auto* spawn = std::get_if<policy::Spawn>(&action);
  if (spawn == nullptr || spawn->worker.generation > moment.chronicle.newest) return "";
  return absl::StrCat(ToText(action), ": generation ", moment.chronicle.newest, " was born before");
}

std::string ServingWorkersAreNotKilled(const Moment& moment, const Action& action) {
  const auto* kill = std::get_if<policy::Kill>(&action);
  if (kill == nullptr || kill->reason == policy::KillReason::kStuck ||
      kill->reason == policy::KillReason::kStopNow) {
    return "";
  }
  const Member* const member = moment.chronicle.Find(kill->worker);
  if (member == nullptr || !policy::Accepts(member->state) || moment.reborn) return "";
  return absl::StrCat(ToText(action), ": it serves, or will again");
}

std::string RebirthKillsNobodyReady(const Moment& moment, const Action& action) {
  const auto* kill = std::get_if<policy::Kill>(&action);
  if (kill == nullptr || !moment.reborn) return "";
  const Member* const member = moment.chronicle.Find(kill->worker);
  if (member != nullptr && !policy::Accepts(member->state) &&
      member->state != WorkerState::kDraining) {
    return "";
  }
  const std::vector<Member>& impossible = moment.chronicle.impossible();
  if (std::any_of(impossible.begin(), impossible.end(),
                  [&](const Member& other) { return other.id == kill->worker; })) {
    return "";
  }
  return absl::StrCat(ToText(action), ": it had got farther than that");
}

std::string NobodyIsKilledBeforeHisTime(const Moment& moment, const Action& action) {
  const auto* kill = std::get_if<policy::Kill>(&action);
  if (kill == nullptr) return "";
  const bool exit = kill->reason == policy::KillReason::kLateExit;
  if (!exit && kill->reason != policy::KillReason::kLateReady) return "";
  const Member* const member = moment.chronicle.Find(kill->worker);
  const bool fits = member != nullptr && (exit ? member->state == WorkerState::kDraining
                                               : member->state == WorkerState::kStarting ||
                                                     member->state == WorkerState::kProving);
  if (!fits) return absl::StrCat(ToText(action), ": it has no time to keep");
  const absl::Duration given = exit ? moment.options.kill_timeout : moment.options.listen_timeout;
  const absl::Duration had = moment.now - member->since;
  if (had >= given) return "";
  return absl::StrCat(ToText(action), ": it had ", absl::FormatDuration(had), " of ",
                      absl::FormatDuration(given));
}

std::string AbortedRollLeavesTheOldUntouched(const Moment& moment, const Action& action) {
  const auto* drain = std::get_if<policy::Drain>(&action);
  const auto* kill = std::get_if<policy::Kill>(&action);
  if (drain == nullptr && kill == nullptr) return "";
  const bool aborted =
      std::any_of(moment.actions.begin(), moment.actions.end(), [](const Action& other) {
        const auto* answer = std::get_if<policy::Acknowledge>(&other);
        return answer != nullptr && absl::StartsWith(answer->text, "roll aborted");
      });
  const policy::WorkerId& id = drain != nullptr ? drain->worker : kill->worker;
  const Member* const member = moment.chronicle.Find(id);
  if (!aborted || member == nullptr || member->state != WorkerState::kServing ||
      id.generation > moment.newest_before_roll || id.slot >= moment.view.wanted) {
    return "";
  }
  for (const Member& other : moment.chronicle.At(id.slot).members) {
    if (other.id.generation > id.generation && other.state == WorkerState::kServing) return "";
  }
  return absl::StrCat(ToText(action), ": it is older than the roll, and serves");
}

std::string SuccessorsProveThemselves(const Moment& moment, const Action& action) {
  if (const auto* spawn = std::get_if<policy::Spawn>(&action)) {
    const bool beside = moment.chronicle.Accepts(spawn->worker.slot);
    if (beside == (spawn->entry == policy::Entry::kOnAdmission)) return "";
    return absl::StrCat(ToText(action),
                        beside ? ": somebody serves here already" : ": nobody else serves here");
  }
  const auto* admit = std::get_if<policy::Admit>(&action);
  const auto* probe = std::get_if<policy::Probe>(&action);
  if (admit == nullptr && probe == nullptr) return "";
  const Member* const member =
      moment.chronicle.Find(admit != nullptr ? admit->worker : probe->worker);
  if (member == nullptr || member->state != WorkerState::kProving) {
    return absl::StrCat(ToText(action), ": it does not wait for that");
  }
  if (probe != nullptr) {
    return moment.options.probing && !member->probed
               ? ""
               : absl::StrCat(ToText(action), ": it is not to be probed");
  }
  if (moment.options.probing && !member->proven) {
    return absl::StrCat(ToText(action), ": its probe has not been passed");
  }
  const bool settled = moment.now - member->ready_at >= moment.options.settle;
  if (settled || !moment.chronicle.Serves(admit->worker.slot)) return "";
  return absl::StrCat(ToText(action), ": it has not settled");
}

std::string HandOverHasASuccessor(const Moment& moment, const Action& action) {
  const policy::Drain* const drain = HandOver(moment, action);
  if (drain == nullptr || drain->worker.slot >= moment.view.wanted) return "";
  const Member* const leaves = moment.chronicle.Find(drain->worker);
  for (const Member& other : moment.chronicle.At(drain->worker.slot).members) {
    if (other.id == drain->worker) continue;
    if (other.state == WorkerState::kServing) return "";
    // Of two whose programs have ended one is enough.
    if (leaves != nullptr && leaves->state == WorkerState::kRestarting &&
        other.state == WorkerState::kRestarting) {
      return "";
    }
  }
  return absl::StrCat(ToText(action), ": nobody else serves this slot");
}

std::string HandOverComesAfterTheSoak(const Moment& moment, const Action& action) {
  const policy::Drain* const drain = HandOver(moment, action);
  if (drain == nullptr || drain->worker.slot >= moment.view.wanted) return "";
  if (OlderOneServes(moment, drain->worker)) return "";  // a successor that is sent away
  const Member* const leaves = moment.chronicle.Find(drain->worker);
  if (leaves == nullptr) return "";
  const bool restarts = leaves->state == WorkerState::kRestarting;
  // Of three that a new coordinator found the best one stays.
  const bool third = moment.reborn && moment.chronicle.At(drain->worker.slot).members.size() > 2;
  const bool hopeless = third ? restarts || leaves->unheard
                              : restarts && ProgramIsNotStartedAtOnce(moment, drain->worker);
  for (const Member& other : moment.chronicle.At(drain->worker.slot).members) {
    if (other.id.generation <= drain->worker.generation || other.state != WorkerState::kServing) {
      continue;
    }
    if (hopeless) return "";  // it must not inherit if it is silent: HeirsServe
    if (other.suspect || other.unheard) {
      return absl::StrCat(ToText(action), ": its successor is silent");
    }
    const absl::Duration soaked = moment.now - other.well_since;
    if (soaked >= moment.options.soak) return "";
    return absl::StrCat(ToText(action), ": its successor has been well for ",
                        absl::FormatDuration(soaked), " of ",
                        absl::FormatDuration(moment.options.soak));
  }
  return "";
}

std::string HeirsServe(const Moment& moment, const Action& action) {
  const auto* drain = std::get_if<policy::Drain>(&action);
  if (drain == nullptr) return "";
  for (const policy::WorkerId& heir : drain->heirs) {
    const Member* const member = moment.chronicle.Find(heir);
    if (heir == drain->worker) return absl::StrCat(ToText(action), ": it cannot be its own heir");
    if (member == nullptr || !policy::Accepts(member->state)) {
      return absl::StrCat(ToText(action), ": ", ToText(heir), " does not accept");
    }
    // Better one that perhaps answers than nobody.
    const bool healthy = member->state == WorkerState::kServing && !member->suspect;
    if (!healthy && moment.chronicle.HealthyBeside(drain->worker.slot, moment.view.wanted)) {
      return absl::StrCat(ToText(action), ": ", ToText(heir), " does not answer, and others do");
    }
    if (std::count(drain->heirs.begin(), drain->heirs.end(), heir) > 1) {
      return absl::StrCat(ToText(action), ": ", ToText(heir), " inherits twice");
    }
  }
  return "";
}

std::string HandOverHasHeirs(const Moment& moment, const Action& action) {
  const policy::Drain* const drain = HandOver(moment, action);
  if (drain == nullptr || !drain->heirs.empty()) return "";
  if (!moment.chronicle.HealthyBeside(drain->worker.slot, moment.view.wanted)) return "";
  return absl::StrCat(ToText(action), ": others could take its connections");
}

std::string RetirementComesAfterTheGrace(const Moment& moment, const Action& action) {
  const policy::Drain* const drain = HandOver(moment, action);
  if (drain == nullptr || drain->worker.slot < moment.view.wanted) return "";
  const Member* const oldest = moment.chronicle.Acceptor(drain->worker.slot);
  if (oldest != nullptr && oldest->id.generation < drain->worker.generation) {
    return "";  // a successor that is sent away
  }
  // Of two that a new coordinator found the older one leaves, the slot does not.
  if (moment.chronicle.At(drain->worker.slot).members.back().state == WorkerState::kServing &&
      moment.chronicle.At(drain->worker.slot).members.back().id != drain->worker) {
    return "";
  }
  const Story& story = moment.chronicle.At(drain->worker.slot);
  if (story.live) return absl::StrCat(ToText(action), ": the slot is still live");
  const absl::Duration dark = moment.now - story.dark_since;
  if (dark >= moment.options.retire_grace) return "";
  return absl::StrCat(ToText(action), ": ", absl::FormatDuration(dark),
                      " after it was taken off, not ",
                      absl::FormatDuration(moment.options.retire_grace));
}

std::string EvacuatedAreTheRetiredOnly(const Moment& moment, const Action& action) {
  const auto* evacuate = std::get_if<policy::Evacuate>(&action);
  if (evacuate == nullptr) return "";
  const Story& story = moment.chronicle.At(evacuate->slot);
  if (AllStopped(moment) && story.kept && moment.chronicle.ServingBelow(UINT32_MAX) == 0) return "";
  const char* wrong = nullptr;
  if (moment.options.retirement != policy::Retirement::kMigrate) {
    wrong = ": the kernel cannot";
  } else if (evacuate->slot < moment.view.wanted) {
    wrong = ": the slot is wanted";
  } else if (!story.kept) {
    wrong = ": there are no listeners";
  } else if (story.live) {
    wrong = ": the slot is still live";
  } else if (moment.chronicle.Live() == 0) {
    wrong = ": there is nobody to move the queues to";
  } else if (!moment.chronicle.StandIns(story).empty()) {
    wrong = ": its stand-in still accepts";
  }
  return wrong == nullptr ? "" : absl::StrCat(ToText(action), wrong);
}

std::string StandInsServeElsewhere(const Moment& moment, const Action& action) {
  const auto* adopt = std::get_if<policy::Adopt>(&action);
  if (adopt == nullptr) return "";
  if (!moment.chronicle.At(adopt->slot).kept) {
    return absl::StrCat(ToText(action), ": there are no listeners");
  }
  if (!moment.chronicle.StandIns(moment.chronicle.At(adopt->slot)).empty()) {
    return absl::StrCat(ToText(action), ": somebody stands in already");
  }
  const Member* const incumbent = moment.chronicle.Incumbent(adopt->worker.slot);
  if (incumbent != nullptr && incumbent->id == adopt->worker && !incumbent->suspect &&
      adopt->worker.slot != adopt->slot) {
    return "";
  }
  return absl::StrCat(ToText(action), ": it is no healthy worker of another slot");
}

std::string ReleasedAreTheStandIns(const Moment& moment, const Action& action) {
  const auto* release = std::get_if<policy::Release>(&action);
  if (release == nullptr) return "";
  for (const Member* stand_in : moment.chronicle.StandIns(moment.chronicle.At(release->slot))) {
    if (stand_in->id == release->worker) return "";
  }
  return absl::StrCat(ToText(action), ": it does not stand in there");
}

std::string OneUpgradeAtATime(const Moment& moment, const Action& action) {
  const auto* upgrade = std::get_if<policy::Upgrade>(&action);
  if (upgrade == nullptr) return "";
  if (moment.chronicle.upgrade.has_value()) {
    return absl::StrCat(ToText(action), ": upgrade ", *moment.chronicle.upgrade, " is under way");
  }
  if (moment.chronicle.open().count(upgrade->command) == 0) {
    return absl::StrCat(ToText(action), ": nobody asked for it");
  }
  return moment.view.rolling ? absl::StrCat(ToText(action), ": a roll is under way") : "";
}

std::string SharingIsCalm(const Moment& moment, const Action& action) {
  if (!std::holds_alternative<policy::Rebalance>(action)) return "";
  if (!moment.options.rebalancing) return "nobody asked for it";
  if (moment.view.stopping) return "the cluster is stopping";
  return moment.view.rolling ? "a roll is under way" : "";
}

std::string CommandsAreAnsweredOnce(const Moment& moment, const Action& action) {
  policy::CommandId id = 0;
  if (const auto* answer = std::get_if<policy::Acknowledge>(&action)) id = answer->command;
  if (const auto* progress = std::get_if<policy::Progress>(&action)) id = progress->command;
  if (id == 0 || moment.chronicle.open().count(id) == 1) return "";
  return absl::StrCat(ToText(action), ": this command is not open");
}

std::string RecyclesAreDue(const Moment& moment, const Action& action) {
  const auto* spawn = std::get_if<policy::Spawn>(&action);
  if (spawn == nullptr || spawn->entry == policy::Entry::kAtOnce || moment.view.rolling) return "";
  const Member* const incumbent = moment.chronicle.Incumbent(spawn->worker.slot);
  if (incumbent != nullptr && incumbent->recycle_due && moment.view.recycling) return "";
  return absl::StrCat(ToText(action), ": nobody is to be recycled here");
}

std::string ProgramsAreStartedWhenTheyHaveEnded(const Moment& moment, const Action& action) {
  const auto* start = std::get_if<policy::StartProgram>(&action);
  if (start == nullptr) return "";
  const Member* const member = moment.chronicle.Find(start->worker);
  if (member == nullptr || member->state != WorkerState::kRestarting) {
    return absl::StrCat(ToText(action), ": its program has not ended");
  }
  return member->program_asked ? absl::StrCat(ToText(action), ": it was told already") : "";
}

// A roll renews all that are wanted, each of them once.
static bool RollRenews(const Moment& moment, const Action& action, SlotIndex slot) {
  const Story& story = moment.chronicle.At(slot);
  return story.pardons > 0 ||
         (std::holds_alternative<policy::Spawn>(action) && moment.view.rolling && !story.renewed);
}

std::string WhatEndedForGoodStaysDown(const Moment& moment, const Action& action) {
  const std::optional<SlotIndex> slot = StartsIn(action);
  if (!slot.has_value() || !moment.chronicle.At(*slot).over) return "";
  if (RollRenews(moment, action, *slot)) return "";
  return absl::StrCat(ToText(action), ": its program ended for good, and nobody has asked");
}

std::string QuickDeathsBackOff(const Moment& moment, const Action& action) {
  const std::optional<SlotIndex> slot = StartsIn(action);
  if (!slot.has_value() || RollRenews(moment, action, *slot)) return "";
  const Story& story = moment.chronicle.At(*slot);
  const absl::Duration left = moment.chronicle.BackOffLeft(moment.now, story);
  if (left == absl::ZeroDuration()) return "";
  return absl::StrCat(ToText(action), ": ", absl::FormatDuration(left),
                      " too early after quick end ", story.quick_ends);
}

std::string NothingComesAfterFinish(const Moment& moment, const Action& action) {
  return moment.chronicle.finished ? absl::StrCat(ToText(action), ": after Finish") : "";
}

std::string FinishIsAskedForOrAFailedBoot(const Moment& moment, const Action& action) {
  if (!std::holds_alternative<policy::Finish>(action)) return "";
  if (moment.chronicle.Alive() > 0) return "workers are still alive";
  if (!moment.chronicle.open().empty()) return "commands are still open";
  if (moment.chronicle.stop_given || !moment.chronicle.ever_ready) return "";
  return "nobody asked for it, and a worker has been READY";
}

}  // namespace uc::sim
