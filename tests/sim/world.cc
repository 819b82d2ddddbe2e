#include "tests/sim/world.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "tests/policy/policy_text.h"

namespace uc::sim {

using policy::WorkerId;

World::World(uint64_t seed, absl::Time start, const policy::SupervisorOptions& options)
    : random_(seed), options_(options), now_(start) {
  PlanGossip(start);
  PlanCommand(start);
}

void World::SetWeather(Weather weather) { weather_ = weather; }

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

// --- What is planned ---

void World::Plan(absl::Time at, Kind kind, WorkerId worker, bool clean) {
  Happening happening;
  happening.at = at;
  happening.order = ++order_;
  happening.kind = kind;
  happening.worker = worker;
  happening.clean = clean;
  happening.fault = random_.Percent(50) ? policy::Fault::kOperator : policy::Fault::kWorld;
  ahead_.push(happening);
}

policy::CommandId World::Plan(const policy::Command& command) {
  const policy::CommandId id = next_command_++;
  Plan(now_ + random_.Milliseconds(0, 50), Kind::kCommand, {});
  commands_[order_] = {id, command};
  return id;
}

void World::PlanBirth(absl::Time now, WorkerId worker) {
  const bool bad = weather_ == Weather::kBadBuild ? random_.Percent(95) : Fault(5, 40);
  if (bad) {
    PlanFailedBirth(now, worker);
    return;
  }
  Plan(now + random_.Milliseconds(1, absl::ToInt64Milliseconds(kBootMax)), Kind::kReady, worker);
  if (Fault(1, 5))
    Plan(now + random_.Milliseconds(1, 2000), Kind::kReady, worker);  // says it twice
}

void World::PlanFailedBirth(absl::Time now, WorkerId worker) {
  const absl::Duration late = options_.listen_timeout + random_.Milliseconds(-5, 300);
  switch (random_.Below(6)) {
    case 0:
      return Plan(now, Kind::kSpawnFails, worker);
    case 1:  // crashes in its start; its READY may overtake it, or come from the grave
      if (random_.Percent(20)) Plan(now + random_.Milliseconds(0, 800), Kind::kReady, worker);
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
  if (Fault(4, 15)) Plan(now + random_.Milliseconds(0, 60'000), Kind::kStarved, worker);
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

void World::PlanGossip(absl::Time now) {
  Plan(now + random_.Milliseconds(10, 3000), Kind::kGossip, {});
}

void World::PlanCommand(absl::Time now) {
  const int64_t pause = weather_ == Weather::kStorm ? 4000 : 30'000;
  Plan(now + random_.Milliseconds(0, pause), Kind::kCommand, {});
}

// --- What happens ---

absl::Time World::NextTime() const {
  return ahead_.empty() ? absl::InfiniteFuture() : std::max(now_, ahead_.top().at);
}

bool World::Next(policy::Event* event) {
  const Happening happening = ahead_.top();
  ahead_.pop();
  now_ = std::max(now_, happening.at);
  return TakePlace(happening, event);
}

bool World::TakePlace(const Happening& happening, policy::Event* event) {
  const WorkerId worker = happening.worker;
  const auto process = alive_.find(worker.generation);
  const bool alive = process != alive_.end();
  switch (happening.kind) {
    case Kind::kReady:
      if (!alive && !Fault(30, 50)) return false;
      if (alive && !std::exchange(process->second.ready, true)) PlanLife(now_, worker);
      *event = policy::WorkerReady{worker};
      return true;
    case Kind::kRefuse:
      if (!alive) return false;
      *event = policy::WorkerRefused{worker, happening.fault, "refused"};
      return true;
    case Kind::kSpawnFails:
      if (!alive) return false;
      Bury(worker);
      *event = policy::SpawnFailed{worker, happening.fault, "no process"};
      return true;
    case Kind::kCrash:
      if (weather_ == Weather::kQuiet) return false;
      [[fallthrough]];
    case Kind::kExit:
      if (!alive || (process->second.hung && happening.clean)) return false;
      Bury(worker);
      *event = policy::WorkerExited{worker, happening.clean,
                                    happening.clean ? "exited with code 0" : "killed by a signal"};
      return true;
    case Kind::kHang:
      if (!alive || weather_ == Weather::kQuiet) return false;
      process->second.hung = true;
      Plan(now_ + kHangTimeout, Kind::kStuckSeen, worker);
      return false;
    case Kind::kStuckSeen:
      if (!alive) return false;
      Plan(now_ + absl::Seconds(1), Kind::kStuckSeen, worker);
      *event = policy::HealthObserved{worker, policy::Health::kStuck};
      return true;
    case Kind::kStarved:
      if (!alive) return false;
      if (Fault(90, 90)) Plan(now_ + absl::Seconds(1), Kind::kStarved, worker);
      *event = policy::HealthObserved{worker, policy::Health::kStarved};
      return true;
    case Kind::kGossip:
      PlanGossip(now_);
      if (!Fault(20, 100)) return false;
      *event = Gossip();
      return true;
    case Kind::kCommand: {
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
  }
  return false;
}

// What nobody alive has said: from the dead, or from one that never was.
policy::Event World::Gossip() {
  WorkerId worker;
  if (!dead_.empty() && random_.Percent(80)) {
    worker = dead_[random_.Below(dead_.size())];
  } else {
    worker = {static_cast<uint32_t>(random_.Below(20)), 4'000'000'000};
  }
  switch (random_.Below(6)) {
    case 0:
      return policy::SpawnFailed{worker, policy::Fault::kOperator, "gossip"};
    case 1:
      return policy::WorkerReady{worker};
    case 2:
      return policy::WorkerRefused{worker, policy::Fault::kOperator, "gossip"};
    case 3:
      return policy::WorkerExited{worker, false, "gossip"};
    case 4:
      return policy::HealthObserved{worker, policy::Health::kStuck};
    default:
      return policy::Woke{};
  }
}

policy::Command World::AnyCommand() {
  using policy::Scale;
  switch (random_.Below(10)) {
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
    default:
      if (random_.Percent(50)) return policy::Ping{};
      return policy::ReopenLogs{};
  }
}

// --- What is carried out ---

std::string World::CarryOut(absl::Time now, const policy::Action& action) {
  now_ = now;
  if (const auto* spawn = std::get_if<policy::Spawn>(&action)) {
    alive_[spawn->worker.generation] = {spawn->worker};
    PlanBirth(now, spawn->worker);
    return "";
  }
  if (const auto* drain = std::get_if<policy::Drain>(&action)) {
    const auto process = alive_.find(drain->worker.generation);
    if (process == alive_.end() || !(process->second.id == drain->worker)) {
      return "no process for " + policy::ToText(action);
    }
    if (!process->second.hung) PlanDrain(now, drain->worker);
    return "";
  }
  if (const auto* kill = std::get_if<policy::Kill>(&action)) {
    const auto process = alive_.find(kill->worker.generation);
    if (process == alive_.end() || !(process->second.id == kill->worker)) {
      return "no process for " + policy::ToText(action);
    }
    // Mostly soon; a process in a long system call takes its time.
    const absl::Duration time = Fault(3, 10) ? kKillMax : random_.Milliseconds(0, 20);
    Plan(now + time, Kind::kExit, kill->worker);
    if (Fault(5, 20)) Plan(now + random_.Milliseconds(0, 30), Kind::kReady, kill->worker);
  }
  return "";
}

void World::Bury(WorkerId worker) {
  constexpr size_t kRemembered = 64;
  alive_.erase(worker.generation);
  if (dead_.size() < kRemembered) {
    dead_.push_back(worker);
  } else {
    dead_[worker.generation % kRemembered] = worker;
  }
}

}  // namespace uc::sim
