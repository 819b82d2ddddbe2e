#include "tests/sim/world.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "tests/policy/policy_text.h"

namespace uc::sim {

using policy::WorkerId;
using policy::WorkerState;

World::World(uint64_t seed, absl::Time start, const policy::SupervisorOptions& options,
             const Habits& habits)
    : random_(seed),
      habits_(habits),
      behind_(habits.behind.value_or(random_.Percent(60) ? Behind::kProgram : Behind::kNothing)),
      options_(options),
      now_(start) {
  PlanGossip(start);
  PlanCommand(start);
  PlanDeath(start);
}

void World::SetWeather(Weather weather) { weather_ = weather; }

// --- What happens ---

absl::Time World::NextTime() const {
  return ahead_.empty() ? absl::InfiniteFuture() : std::max(now_, ahead_.top().at);
}

Turn World::Next(policy::Event* event) {
  const Happening happening = ahead_.top();
  ahead_.pop();
  now_ = std::max(now_, happening.at);
  if (happening.kind == Kind::kCoordinatorDies) {
    PlanDeath(now_);
    return Fault(30, 100) ? Turn::kCoordinatorDies : Turn::kNothing;
  }
  if (happening.kind == Kind::kUpgradeDone) {
    return happening.command == upgrade_ ? Turn::kProgramIsReplaced : Turn::kNothing;
  }
  return TakePlace(happening, event) ? Turn::kEvent : Turn::kNothing;
}

bool World::TakePlace(const Happening& happening, policy::Event* event) {
  switch (happening.kind) {
    case Kind::kGossip:
      PlanGossip(now_);
      if (!Fault(20, 100)) return false;
      *event = Gossip();
      return true;
    case Kind::kCommand:
      return GivesCommand(happening, event);
    case Kind::kUpgradeFails:
      if (happening.command != upgrade_) return false;
      upgrade_ = 0;
      *event = policy::UpgradeFailed{happening.command, "exited with code 2"};
      return true;
    default:
      break;
  }
  const auto found = alive_.find(happening.worker.generation);
  Process* const process = found == alive_.end() ? nullptr : &found->second;
  if (process != nullptr) {
    if (process->pid != happening.pid) return false;
    const bool named = named_.count(happening.worker.generation) == 1;
    return Worker(happening, *process, event) && named;  // a stranger's words are not heard
  }
  if (happening.kind != Kind::kReady || !Fault(30, 50)) return false;
  *event = policy::WorkerReady{happening.worker};  // its last words come after its end
  return true;
}

// Its listeners have reached the coordinator, unless there is a newer worker or there are others.
bool World::Binds(Process& process, policy::Event* event) {
  process.bound = true;
  if (!coordinated_ || named_.count(process.id.generation) == 0) return false;
  for (const auto& [generation, other] : alive_) {
    if (other.id.slot == process.id.slot && generation > process.id.generation) return false;
  }
  if (!kept_.insert(process.id.slot).second) return false;
  *event = policy::ListenersKept{process.id.slot};
  return true;
}

bool World::Worker(const Happening& happening, Process& process, policy::Event* event) {
  const WorkerId worker = process.id;
  switch (happening.kind) {
    case Kind::kKept:
      return Binds(process, event);
    case Kind::kReady:
      if (!std::exchange(process.ready, true)) {
        process.ready_at = now_;
        PlanLife(now_, worker);
        if (!process.greeted) Plan(now_, Kind::kGreets, worker);
      }
      if (process.program != Process::Program::kServes) return false;
      *event = policy::WorkerReady{worker};
      return true;
    case Kind::kProbeAnswered:
      if (process.silent) return false;
      *event = policy::ProbeAnswered{worker, happening.good, "503 Service Unavailable"};
      return true;
    case Kind::kRefuse:
      *event = policy::WorkerRefused{worker, happening.fault, "refused"};
      return true;
    case Kind::kSpawnFails:
      if (process.inherited) {  // only the coordinator that spawns hears how that ended
        *event = policy::WorkerExited{worker, false, "ended badly", std::nullopt};
      } else {
        *event = policy::SpawnFailed{worker, happening.fault, "no process"};
      }
      Bury(worker);
      return true;
    case Kind::kCrash:
      if (weather_ == Weather::kQuiet) return false;
      [[fallthrough]];
    case Kind::kExit:
      if (process.hung && happening.good) return false;
      Bury(worker);
      *event = policy::WorkerExited{worker, happening.good,
                                    happening.good ? "exited with code 0" : "ended badly",
                                    happening.good ? std::optional(0) : happening.exit_code};
      return true;
    case Kind::kSilent:
      if (weather_ == Weather::kQuiet || std::exchange(process.silent, true)) return false;
      Plan(now_ + random_.Milliseconds(50, 150), Kind::kSilenceSeen, worker);
      Plan(now_ + random_.Milliseconds(50, absl::ToInt64Milliseconds(kSilenceMax)), Kind::kAnswers,
           worker);
      return false;
    case Kind::kSilenceSeen:
      if (!process.silent) return false;
      Plan(now_ + random_.Milliseconds(200, 2000), Kind::kSilenceSeen, worker);
      *event = policy::HealthObserved{worker, policy::Health::kSuspect};
      return true;
    case Kind::kAnswers:
      if (process.hung) return false;
      process.silent = false;
      // A coordinator that had knocked in vain hears now what it holds.
      if (process.bound && !process.draining) Plan(now_, Kind::kKept, worker);
      if (!process.greeted) Plan(now_, Kind::kGreets, worker);
      if (process.program != Process::Program::kServes && !process.end_is_known) {
        Plan(now_, Kind::kProgramLate, worker);
      }
      if (Fault(20, 50)) Plan(now_ + random_.Milliseconds(50, 10'000), Kind::kSilent, worker);
      *event = policy::HealthObserved{worker, policy::Health::kWell};
      return true;
    case Kind::kGreets:
      return Greets(process, event);
    case Kind::kHolds:
      return Holds(process, event);
    case Kind::kHang:
      if (weather_ == Weather::kQuiet) return false;
      process.hung = true;
      if (!std::exchange(process.silent, true) && random_.Percent(70)) {
        Plan(now_ + random_.Milliseconds(50, 3000), Kind::kSilenceSeen, worker);
      }
      Plan(now_ + kHangTimeout, Kind::kStuckSeen, worker);
      return false;
    case Kind::kStuckSeen:
      if (!process.hung && process.ready) return false;  // it was only late
      Plan(now_ + absl::Seconds(1), Kind::kStuckSeen, worker);
      *event = policy::HealthObserved{worker, policy::Health::kStuck};
      return true;
    case Kind::kStarved:
      if (Fault(90, 90)) Plan(now_ + absl::Seconds(1), Kind::kStarved, worker);
      *event = policy::HealthObserved{worker, policy::Health::kStarved};
      return true;
    case Kind::kProgramEnds:
    case Kind::kProgramIsAsked:
    case Kind::kProgramServes:
    case Kind::kProgramFails:
    case Kind::kProgramLate:
      return Program(happening, process, event);
    case Kind::kBloated:
      if (weather_ == Weather::kQuiet) return false;
      Plan(now_ + absl::Seconds(1), Kind::kBloated, worker);
      *event = policy::RecycleDue{worker, "too much memory"};
      return true;
    case Kind::kGossip:
    case Kind::kCommand:
    case Kind::kUpgradeFails:
    case Kind::kUpgradeDone:
    case Kind::kCoordinatorDies:
      return false;  // no worker's affair
  }
  return false;
}

bool World::Greets(Process& process, policy::Event* event) {
  using Phase = policy::LateHello::Phase;
  if (!coordinated_ || !Answers(process) || std::exchange(process.greeted, true)) return false;
  ++late_hellos_;
  process.end_is_known = true;
  process.untold.clear();
  if (!process.draining) process.untold.assign(process.adopted.begin(), process.adopted.end());
  for (size_t slot = 0; slot < process.untold.size(); ++slot) Plan(now_, Kind::kHolds, process.id);
  Phase phase = Phase::kServing;
  switch (StateOf(process)) {
    case WorkerState::kDraining:
      phase = Phase::kDraining;
      break;
    case WorkerState::kProving:
      phase = Phase::kProving;
      break;
    case WorkerState::kRestarting:
      phase = Phase::kRestarting;
      break;
    case WorkerState::kServing:
    case WorkerState::kStarting:  // it would not answer
    case WorkerState::kKilled:
      break;
  }
  *event = policy::LateHello{process.id, phase};
  return true;
}

bool World::Holds(Process& process, policy::Event* event) {
  if (!coordinated_ || !process.greeted || process.untold.empty()) return false;
  const policy::SlotIndex slot = process.untold.back();
  process.untold.pop_back();
  if (process.adopted.count(slot) == 0) return false;
  kept_.insert(slot);
  *event = policy::LateHolds{process.id, slot};
  return true;
}

// What a worker does not come to say now, it says when it answers again.
bool World::Program(const Happening& happening, Process& process, policy::Event* event) {
  using Is = Process::Program;
  const WorkerId worker = process.id;
  const bool of_another = happening.kind != Kind::kProgramIsAsked &&
                          happening.kind != Kind::kProgramLate &&
                          happening.program != process.programs;
  if (process.hung || process.killed || of_another) return false;
  if (process.silent && happening.kind != Kind::kProgramEnds) {
    Plan(now_ + absl::Milliseconds(100), happening.kind, worker, happening.good);
    return false;
  }
  switch (happening.kind) {
    case Kind::kProgramEnds:
      return ProgramEnds(happening, process, event);
    case Kind::kProgramIsAsked:
      return ProgramIsAsked(process, event);
    case Kind::kProgramServes:
      if (process.program != Is::kStarts) return false;
      process.program = Is::kServes;
      PlanProgram(now_, worker);
      *event = policy::WorkerReady{worker};
      return !process.draining;
    case Kind::kProgramFails:
      if (process.program != Is::kStarts) return false;
      process.program = Is::kEnded;
      process.end_is_known = coordinated_;
      *event = policy::ProgramEnded{worker, false, "did not listen in time", happening.exit_code};
      return true;
    case Kind::kProgramLate: {
      const bool known = std::exchange(process.end_is_known, true) || process.draining;
      if (known || process.program == Is::kServes || !coordinated_) return false;
      if (!process.admitted) {  // as in ProgramEnds()
        Plan(now_ + random_.Milliseconds(0, 50), Kind::kExit, worker, happening.good);
        return false;
      }
      // A coordinator knows by its own table whether it was told.
      const bool serves = process.row_state == static_cast<uint32_t>(policy::WorkerState::kServing);
      if (!serves) return false;
      ++late_ends_;
      *event = policy::ProgramEnded{worker, false, "ended when nobody heard it"};
      return true;
    }
    default:
      return false;
  }
}

bool World::ProgramEnds(const Happening& happening, Process& process, policy::Event* event) {
  if (weather_ == Weather::kQuiet || !process.ready) return false;
  if (process.program != Process::Program::kServes) return false;
  const WorkerId worker = process.id;
  process.program = Process::Program::kEnded;
  process.end_is_known = coordinated_ && !process.silent;
  if (process.silent) return false;
  // One that nobody was let in to has nothing to keep, and one that leaves nothing to wait for:
  // they end.
  if (!process.admitted || process.draining) {
    Plan(now_ + random_.Milliseconds(0, 50), Kind::kExit, worker, happening.good);
    if (random_.Percent(50)) return false;
  }
  *event = policy::ProgramEnded{worker, happening.good,
                                happening.good ? "exited with code 0" : "ended badly",
                                happening.good ? std::optional(0) : happening.exit_code};
  return true;
}

bool World::ProgramIsAsked(Process& process, policy::Event* event) {
  if (process.draining) return false;
  switch (process.program) {
    case Process::Program::kServes:
      *event = policy::WorkerReady{process.id};
      return process.ready;
    case Process::Program::kStarts:
      return false;
    case Process::Program::kEnded:
      process.program = Process::Program::kStarts;
      ++process.programs;
      PlanProgramStart(now_, process.id);
      return false;
  }
  return false;
}

bool World::GivesCommand(const Happening& happening, policy::Event* event) {
  const auto planned = commands_.find(happening.order);
  if (planned != commands_.end()) {
    *event = planned->second;
    commands_.erase(planned);
    return true;
  }
  PlanCommand(now_);
  if (weather_ == Weather::kQuiet) return false;
  *event = policy::CommandGiven{next_command_++, AnyCommand()};
  return true;
}

// What nobody alive has said: from the dead, or from one that never was.
policy::Event World::Gossip() {
  WorkerId worker;
  if (!dead_.empty() && random_.Percent(80)) {
    worker = dead_[random_.Below(dead_.size())];
  }
  if (worker.generation == 0 || alive_.count(worker.generation) == 1) {
    worker = {static_cast<uint32_t>(random_.Below(20)), 4'000'000'000};
  }
  switch (random_.Below(13)) {
    case 11:
      return policy::LateHolds{worker, static_cast<uint32_t>(random_.Below(20))};
    case 10:
      return policy::LateHello{worker, random_.Percent(50) ? policy::LateHello::Phase::kDraining
                                                           : policy::LateHello::Phase::kProving};
    case 9:
      return policy::ProgramEnded{worker, false, "gossip", std::nullopt};
    case 8:
      return policy::RecycleDue{worker, "gossip"};
    case 0:
      return policy::SpawnFailed{worker, policy::Fault::kOperator, "gossip"};
    case 1:
      return policy::WorkerReady{worker};
    case 2:
      return policy::WorkerRefused{worker, policy::Fault::kOperator, "gossip"};
    case 3:
      return policy::WorkerExited{worker, false, "gossip", std::nullopt};
    case 4:
      return policy::HealthObserved{worker, policy::Health::kStuck};
    case 5:
      return policy::HealthObserved{worker, policy::Health::kSuspect};
    case 6:
      return policy::ProbeAnswered{worker, random_.Percent(50), "gossip"};
    case 7:
      return policy::UpgradeFailed{next_command_ + 1, "gossip"};
    default:
      return policy::Woke{};
  }
}

policy::Command World::AnyCommand() {
  using policy::Scale;
  switch (random_.Below(11)) {
    case 0:
    case 1:
      return Scale{Scale::Kind::kRelative, random_.Between(-3, 3)};
    case 2:
    case 3:
      return Scale{Scale::Kind::kAbsolute, random_.Between(1, 10)};
    case 4: {  // nonsense
      const int64_t counts[] = {0, -1, 1025, INT64_MAX, INT64_MIN, 1'000'000};
      return Scale{random_.Percent(50) ? Scale::Kind::kAbsolute : Scale::Kind::kRelative,
                   random_.Percent(90) ? counts[random_.Below(6)] : 0};
    }
    case 5:
    case 6:
    case 7:
      return policy::Reload{};
    case 8:
      if (random_.Percent(50)) return policy::Restart{};
      return policy::Restart{static_cast<uint32_t>(random_.Below(12))};
    case 9:
      return policy::UpgradeSelf{};
    default:
      if (random_.Percent(50)) return policy::Ping{};
      return policy::ReopenLogs{};
  }
}

// --- What is carried out ---

World::Process* World::Of(const WorkerId& id) {
  const auto process = alive_.find(id.generation);
  return process == alive_.end() || process->second.id != id ? nullptr : &process->second;
}

World::Process& World::MakeProcess(absl::Time now, const policy::Spawn& spawn) {
  Process process;
  process.pid = next_pid_++;
  process.id = spawn.worker;
  process.assigned = spawn.worker.slot;
  process.entry = spawn.entry;
  process.admitted = spawn.entry == policy::Entry::kAtOnce;
  process.bound = kept_.count(spawn.worker.slot) == 1;
  alive_[spawn.worker.generation] = process;
  PlanBirth(now, spawn.worker);
  return alive_[spawn.worker.generation];
}

std::string World::CarryOut(absl::Time now, const policy::Action& action) {
  now_ = now;
  if (const auto* spawn = std::get_if<policy::Spawn>(&action)) {
    header_.newest_generation = spawn->worker.generation;
    Process& process = MakeProcess(now, *spawn);
    process.row_state = static_cast<uint32_t>(policy::WorkerState::kStarting);
    process.pid_in_row = true;
    named_[spawn->worker.generation] = process.pid;
    return "";
  }
  if (const auto* set_live = std::get_if<policy::SetLive>(&action)) {
    if (set_live->live) header_.live.insert(set_live->slot);
    if (!set_live->live) header_.live.erase(set_live->slot);
    return "";
  }
  if (const auto* evacuate = std::get_if<policy::Evacuate>(&action)) {
    for (auto& [generation, process] : alive_) {
      if (process.id.slot == evacuate->slot) process.bound = false;
      process.adopted.erase(evacuate->slot);  // it does not listen any more
    }
    return kept_.erase(evacuate->slot) == 1 ? "" : "no listeners for " + policy::ToText(action);
  }
  if (const auto* upgrade = std::get_if<policy::Upgrade>(&action)) {
    PlanUpgrade(now, upgrade->command);
    return "";
  }
  // The others tell a worker something.
  const auto tell = [&](const WorkerId& id, const auto& act) -> std::string {
    Process* const process = Of(id);
    if (process == nullptr) return "no process for " + policy::ToText(action);
    act(*process);
    return "";
  };
  if (const auto* probe = std::get_if<policy::Probe>(&action)) {
    return tell(probe->worker, [&](Process&) { PlanProbe(now, probe->worker); });
  }
  if (const auto* admit = std::get_if<policy::Admit>(&action)) {
    return tell(admit->worker, [&](Process& process) { process.admitted = true; });
  }
  if (const auto* start = std::get_if<policy::StartProgram>(&action)) {
    return tell(start->worker, [&](Process&) {
      Plan(now + random_.Milliseconds(0, 5), Kind::kProgramIsAsked, start->worker);
    });
  }
  if (const auto* drain = std::get_if<policy::Drain>(&action)) {
    return tell(drain->worker, [&](Process& process) {
      process.draining = true;
      process.adopted.clear();
      if (process.hung) return;
      process.bound = false;
      PlanDrain(now, drain->worker);
    });
  }
  if (const auto* kill = std::get_if<policy::Kill>(&action)) {
    return tell(kill->worker, [&](Process& process) {
      process.killed = true;
      PlanKill(now, kill->worker);
    });
  }
  if (const auto* adopt = std::get_if<policy::Adopt>(&action)) {
    if (kept_.count(adopt->slot) == 0) return "no listeners for " + policy::ToText(action);
    return tell(adopt->worker, [&](Process& process) { process.adopted.insert(adopt->slot); });
  }
  if (const auto* release = std::get_if<policy::Release>(&action)) {
    return tell(release->worker, [&](Process& process) { process.adopted.erase(release->slot); });
  }
  return "";
}

void World::Bury(WorkerId worker) {
  constexpr size_t kRemembered = 64;
  const auto buried = alive_.find(worker.generation);
  if (buried != alive_.end() && !coordinated_ && buried->second.row_state.has_value()) {
    const Process& process = buried->second;  // nobody frees its row
    left_rows_.push_back({process.pid, process.assigned, worker.generation, *process.row_state});
  }
  if (buried != alive_.end()) alive_.erase(buried);
  named_.erase(worker.generation);
  if (dead_.size() < kRemembered) {
    dead_.push_back(worker);
  } else {
    dead_[worker.generation % kRemembered] = worker;
  }
}

}  // namespace uc::sim
