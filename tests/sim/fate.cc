// What the world has in store: births, lives and ends are drawn here and take place in world.cc.
#include "tests/sim/world.h"

namespace uc::sim {

using policy::WorkerId;

bool World::Fault(uint64_t calm_percent, uint64_t storm_percent) {
  switch (weather_) {
    case Weather::kQuiet:
      return false;
    case Weather::kCalm:
    case Weather::kBadBuild:
      return random_.Percent(calm_percent);
    case Weather::kStorm:
      return random_.Percent(storm_percent);
  }
  return false;
}

void World::Plan(absl::Time at, Kind kind, WorkerId worker, bool good, policy::CommandId command) {
  Happening happening;
  happening.at = at;
  happening.order = ++order_;
  happening.kind = kind;
  happening.worker = worker;
  const auto process = alive_.find(worker.generation);
  if (process != alive_.end()) {
    happening.pid = process->second.pid;
    happening.program = process->second.programs;
  }
  happening.good = good;
  happening.command = command;
  happening.fault = random_.Percent(50) ? policy::Fault::kOperator : policy::Fault::kWorld;
  if (random_.Percent(50)) happening.exit_code = random_.Percent(50) ? 3 : 1;
  ahead_.push(happening);
}

policy::CommandId World::Plan(const policy::Command& command) {
  const policy::CommandId id = next_command_++;
  Plan(now_ + random_.Milliseconds(0, 50), Kind::kCommand, {});
  commands_[order_] = {id, command};
  return id;
}

void World::PlanBirth(absl::Time now, WorkerId worker) {
  const bool binds = kept_.count(worker.slot) == 0;
  const bool bad = weather_ == Weather::kBadBuild ? random_.Percent(95) : Fault(5, 40);
  if (bad) {
    if (binds && random_.Percent(70)) {
      Plan(now + random_.Milliseconds(0, 300), Kind::kKept, worker);
    }
    PlanFailedBirth(now, worker);
    return;
  }
  const int64_t boot = random_.Between(1, absl::ToInt64Milliseconds(kBootMax));
  if (binds) Plan(now + random_.Milliseconds(0, boot), Kind::kKept, worker);
  Plan(now + absl::Milliseconds(boot), Kind::kReady, worker);
  if (Fault(1, 5)) {
    Plan(now + random_.Milliseconds(1, 2000), Kind::kReady, worker);  // says it twice
  }
}

void World::PlanFailedBirth(absl::Time now, WorkerId worker) {
  const absl::Duration late = options_.listen_timeout + random_.Milliseconds(-5, 300);
  switch (random_.Below(6)) {
    case 0:
      return Plan(now, Kind::kSpawnFails, worker);
    case 1:  // crashes in its start; its READY may overtake it, or come from the grave
      if (random_.Percent(20)) Plan(now + random_.Milliseconds(300, 800), Kind::kReady, worker);
      return Plan(now + random_.Milliseconds(0, 500), Kind::kExit, worker, random_.Percent(10));
    case 2:
      Plan(now + random_.Milliseconds(0, 300), Kind::kRefuse, worker);
      return Plan(now + random_.Milliseconds(300, 400), Kind::kExit, worker);
    case 3:  // refuses, and stays
      return Plan(now + random_.Milliseconds(0, 300), Kind::kRefuse, worker);
    case 4:
      return Plan(now + late, Kind::kReady, worker);
    default:
      return;  // never says a word
  }
}

void World::PlanLife(absl::Time now, WorkerId worker) {
  if (weather_ == Weather::kBadBuild ? random_.Percent(90) : Fault(5, 30)) {
    Plan(now + random_.Milliseconds(0, 5000), Kind::kCrash, worker, random_.Percent(20));
  } else if (Fault(20, 50)) {
    Plan(now + random_.Milliseconds(0, 120'000), Kind::kCrash, worker, random_.Percent(20));
  }
  if (Fault(4, 15)) Plan(now + random_.Milliseconds(0, 60'000), Kind::kHang, worker);
  if (Fault(15, 30)) Plan(now + random_.Milliseconds(0, 30'000), Kind::kSilent, worker);
  if (Fault(5, 15)) Plan(now + random_.Milliseconds(0, 2000), Kind::kSilent, worker);
  if (Fault(4, 15)) Plan(now + random_.Milliseconds(0, 60'000), Kind::kStarved, worker);
  if (Fault(10, 20)) Plan(now + random_.Milliseconds(0, 60'000), Kind::kBloated, worker);
  PlanProgram(now, worker);
}

void World::PlanProgram(absl::Time now, WorkerId worker) {
  if (behind_ == Behind::kNothing) return;
  if (weather_ == Weather::kBadBuild ? random_.Percent(70) : Fault(15, 40)) {
    Plan(now + random_.Milliseconds(0, 5000), Kind::kProgramEnds, worker, random_.Percent(20));
  } else if (Fault(30, 50)) {
    Plan(now + random_.Milliseconds(0, 60'000), Kind::kProgramEnds, worker, random_.Percent(20));
  }
}

void World::PlanProgramStart(absl::Time now, WorkerId worker) {
  const bool bad = weather_ == Weather::kBadBuild ? random_.Percent(80) : Fault(10, 40);
  if (!bad) {
    Plan(now + random_.Milliseconds(1, absl::ToInt64Milliseconds(kBootMax)), Kind::kProgramServes,
         worker);
    return;
  }
  const absl::Duration late = options_.listen_timeout;
  Plan(now + (random_.Percent(30) ? late : random_.Milliseconds(0, 500)), Kind::kProgramFails,
       worker);
}

void World::PlanProbe(absl::Time now, WorkerId worker) {
  const bool bad = weather_ == Weather::kBadBuild ? random_.Percent(50) : Fault(5, 30);
  const absl::Duration late = options_.listen_timeout + random_.Milliseconds(-50, 300);
  switch (bad ? random_.Below(4) : 3) {
    case 0:
      return;  // never
    case 1:
      return Plan(now + late, Kind::kProbeAnswered, worker, random_.Percent(80));
    case 2:
      return Plan(now + random_.Milliseconds(0, 200), Kind::kProbeAnswered, worker, false);
    default:
      return Plan(now + random_.Milliseconds(0, absl::ToInt64Milliseconds(kProbeMax)),
                  Kind::kProbeAnswered, worker, true);
  }
}

void World::PlanDrain(absl::Time now, WorkerId worker) {
  if (Fault(3, 15)) return;  // never ends
  if (Fault(5, 15)) {        // slow, on either side of its time
    Plan(now + options_.kill_timeout + random_.Milliseconds(-200, 200), Kind::kExit, worker, true);
    return;
  }
  Plan(now + random_.Milliseconds(0, absl::ToInt64Milliseconds(kExitMax)), Kind::kExit, worker,
       !Fault(2, 20));
}

void World::PlanKill(absl::Time now, WorkerId worker) {
  // Mostly soon; a process in a long system call takes its time.
  const absl::Duration time = Fault(3, 10) ? kKillMax : random_.Milliseconds(0, 20);
  Plan(now + time, Kind::kExit, worker);
  if (Fault(5, 20)) Plan(now + random_.Milliseconds(0, 30), Kind::kReady, worker);
}

void World::PlanUpgrade(absl::Time now, policy::CommandId command) {
  upgrade_ = command;
  const Kind kind = random_.Percent(50) ? Kind::kUpgradeFails : Kind::kUpgradeDone;
  Plan(now + random_.Milliseconds(0, absl::ToInt64Milliseconds(kUpgradeMax)), kind, {}, false,
       command);
}

void World::PlanGossip(absl::Time now) {
  Plan(now + random_.Milliseconds(10, 3000), Kind::kGossip, {});
}

void World::PlanCommand(absl::Time now) {
  const int64_t pause = weather_ == Weather::kStorm ? 4000 : 30'000;
  Plan(now + random_.Milliseconds(0, pause), Kind::kCommand, {});
}

void World::PlanDeath(absl::Time now) {
  Plan(now + random_.Milliseconds(0, 60'000), Kind::kCoordinatorDies, {});
}

size_t World::CarriedOut(size_t actions) {
  const uint64_t survivals = weather_ == Weather::kStorm ? 200 : 1000;
  if (actions == 0 || weather_ == Weather::kQuiet || random_.Below(survivals) != 0) return actions;
  return random_.Below(actions);
}

}  // namespace uc::sim
