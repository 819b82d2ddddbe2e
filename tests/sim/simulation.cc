#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/policy/policy_text.h"

namespace uc::sim {

constexpr size_t kTraced = 40;
constexpr uint32_t kWorkersFirstMax = 8;

absl::Duration RecoveryMax(const policy::SupervisorOptions& options, uint32_t slots) {
  // The last bad things that were under way: a hang that is yet unseen, a late start, a drain that
  // never ends, a slow kill after each; then a back-off.
  const absl::Duration last_faults =
      kHangTimeout + absl::Seconds(1) + options.listen_timeout + options.kill_timeout +
      3 * kKillMax + std::max(options.restarts.backoff_max, options.restarts.restart_delay);
  const uint32_t rounds = slots / options.starting_max + 1;
  const absl::Duration boots = rounds * (kBootMax + kKillMax);
  // The roll under way and the queued one. Each old worker may yet be hung, and a silence makes a soak begin
  // anew.
  // One more worker may be recycled meanwhile.
  const absl::Duration proof = kProbeMax + options.settle + options.soak;
  const absl::Duration rolls = 2 * (slots + 1) * (kBootMax + proof + kExitMax) +
                               (slots + 1) * (options.kill_timeout + kKillMax);
  const absl::Duration others = 2 * kSilenceMax + options.settle + options.soak + kUpgradeMax +
                                options.retire_grace + kHangTimeout;
  return last_faults + boots + rolls + others;
}

absl::Duration StopMax(const policy::SupervisorOptions& options) {
  return absl::Seconds(1) + options.kill_timeout + 2 * kKillMax;
}

Simulation::Simulation(uint64_t seed, Tamper tamper, const Habits& habits)
    : seed_(seed), tamper_(std::move(tamper)), habits_(habits), random_(seed) {}

std::string Simulation::Run(uint64_t steps) {
  steps_ = steps;
  while (step_ < steps_ && failure_.empty()) LiveOneLife();
  CountWorld();
  return failure_;
}

void Simulation::BeginLife() {
  ++tally_.lives;
  options_ = {};
  options_.workers = static_cast<uint32_t>(random_.Between(1, kWorkersFirstMax));
  options_.starting_max = static_cast<uint32_t>(random_.Between(1, 6));
  options_.listen_timeout = random_.Milliseconds(600, 12'000);
  options_.kill_timeout = random_.Milliseconds(400, 12'000);
  options_.restarts.min_uptime = random_.Milliseconds(0, 3000);
  options_.restarts.restarts_max = static_cast<int>(random_.Between(1, 20));
  if (random_.Percent(20)) options_.restarts.restart_delay = random_.Milliseconds(0, 2000);
  if (random_.Percent(25)) options_.restarts.stop_exit_codes = {0, 3};
  options_.restarts.autorestart = random_.Percent(85);
  DrawHabits();
  if (supervisor_.has_value()) tally_.ignored += supervisor_->events_ignored();
  supervisor_.emplace(options_);
  CountWorld();
  world_.emplace(random_.Next(), now_, options_, habits_);
  invariants_.emplace(options_);
  trace_.clear();
}

// What a new coordinator may see differently.
void Simulation::DrawHabits() {
  options_.roll_width = static_cast<uint32_t>(random_.Between(1, 3));
  options_.soak = random_.Percent(30) ? absl::ZeroDuration() : random_.Milliseconds(0, 3000);
  options_.probing = random_.Percent(60);
  options_.settle = random_.Percent(60) ? absl::ZeroDuration() : random_.Milliseconds(0, 2000);
  options_.retirement =
      random_.Percent(50) ? policy::Retirement::kHold : policy::Retirement::kMigrate;
  options_.retire_grace =
      random_.Percent(30) ? absl::ZeroDuration() : random_.Milliseconds(0, 1000);
  options_.rebalancing = random_.Percent(70);
}

bool Simulation::LiveOneLife() {
  BeginLife();
  const Weather first[] = {Weather::kQuiet, Weather::kCalm, Weather::kStorm, Weather::kBadBuild};
  world_->SetWeather(first[random_.Below(4)]);
  if (!Process(now_, policy::Woke{}, supervisor_->Start(now_))) return false;
  const uint64_t acts = random_.Below(8) + 1;
  for (uint64_t act = 0; act < acts; ++act) {
    if (!Act(first[random_.Below(3) + 1], random_.Below(600))) break;
    if (random_.Percent(60) && !Recover()) break;
  }
  if (invariants_->chronicle().finished) {
    tally_.failed_boots += !invariants_->chronicle().ever_ready;
    return true;
  }
  return !Ended() && Stop();
}

bool Simulation::Act(Weather weather, uint64_t steps) {
  world_->SetWeather(weather);
  for (uint64_t step = 0; step < steps; ++step) {
    if (!Advance()) return false;
  }
  return true;
}

bool Simulation::Recover() {
  world_->SetWeather(Weather::kQuiet);
  const uint32_t slots = static_cast<uint32_t>(supervisor_->slots().size());
  const absl::Time due = now_ + RecoveryMax(options_, slots);
  while (std::min(world_->NextTime(), supervisor_->NextDeadline()) <= due) {
    if (!Advance()) return false;
  }
  now_ = due;
  invariants_->See(world_->processes());
  const std::string wrong = invariants_->Recovered(now_, ViewOf(*supervisor_));
  if (!wrong.empty()) return Fail(wrong);
  ++tally_.recoveries;
  return true;
}

bool Simulation::Stop() {
  world_->SetWeather(random_.Percent(50) ? Weather::kStorm : Weather::kCalm);
  const policy::StopKind kinds[] = {policy::StopKind::kPrompt, policy::StopKind::kGraceful,
                                    policy::StopKind::kAtOnce};
  for (uint64_t stop = random_.Below(3) + 1; stop > 0; --stop) {
    world_->Plan(policy::Stop{kinds[random_.Below(3)]});
  }
  absl::Time due = now_ + StopMax(options_);
  uint64_t rebirths = tally_.rebirths;
  while (Advance()) {
    if (rebirths != tally_.rebirths) {  // the new coordinator knows of no stop: it is given again
      rebirths = tally_.rebirths;
      world_->Plan(policy::Stop{kinds[random_.Below(3)]});
      due = now_ + StopMax(options_);
    }
    if (now_ > due) return Fail("StopEnds: workers are left long after the last kill");
  }
  return true;
}

bool Simulation::Advance() {
  if (Ended()) return false;
  // Nobody has to wake the supervisor at the very moment.
  const absl::Time deadline = supervisor_->NextDeadline();
  if (deadline <= world_->NextTime()) {
    now_ = std::max(
        now_, deadline + (random_.Percent(50) ? absl::ZeroDuration() : random_.Milliseconds(0, 5)));
    return Take(now_, policy::Woke{});
  }
  now_ = std::max(now_, world_->NextTime());
  policy::Event event;
  switch (world_->Next(&event)) {
    case Turn::kNothing:
      return true;
    case Turn::kEvent:
      return Take(now_, event);
    case Turn::kProgramIsReplaced:
      if (!supervisor_->upgrading()) return true;  // a stop came between
      ++tally_.upgrades_done;
      return BeReborn(Departure::kReplacedItself);
    case Turn::kCoordinatorDies:
      return BeReborn(Departure::kDied);
  }
  return true;
}

bool Simulation::Take(absl::Time now, const policy::Event& event) {
  ++step_;
  return Process(now, event, supervisor_->Step(now, event));
}

std::optional<policy::Action> Simulation::CutOff(policy::Actions* actions) {
  const size_t lived = world_->CarriedOut(actions->size());
  if (lived == actions->size()) return std::nullopt;
  const policy::Action last = (*actions)[lived];
  actions->resize(lived);
  return last;
}

void Simulation::Note(const policy::Event& event, policy::Actions actions, bool reborn) {
  Count(event, actions);
  if (trace_.size() == kTraced) trace_.pop_front();
  trace_.push_back({now_, event, std::move(actions), reborn});
}

bool Simulation::Process(absl::Time now, const policy::Event& event, policy::Actions actions) {
  if (tamper_) tamper_(*supervisor_, &actions);
  world_->PublishWanted(supervisor_->workers_wanted());  // before anything is done about it
  const std::optional<policy::Action> died_in = CutOff(&actions);
  Note(event, std::move(actions), false);
  const policy::Actions& done = trace_.back().actions;
  const View view = ViewOf(*supervisor_);
  if (!done.empty()) invariants_->See(world_->processes());
  const std::string wrong = died_in.has_value() ? invariants_->BrokenOff(now, event, done, view)
                                                : invariants_->Step(now, event, done, view);
  if (!wrong.empty()) return Fail(wrong);
  if (!CarryOut(done)) return false;
  if (died_in.has_value()) {
    ++tally_.broken_off;
    world_->BreakOff(now_, *died_in);
    return BeReborn(Departure::kDied);
  }
  world_->Publish(supervisor_->slots());
  CountStates();
  return !Ended();
}

bool Simulation::CarryOut(const policy::Actions& actions) {
  for (const policy::Action& action : actions) {
    const std::string impossible = world_->CarryOut(now_, action);
    if (!impossible.empty()) return Fail("WorldCanCarryItOut: " + impossible);
  }
  return true;
}

bool Simulation::BeReborn(Departure departure) {
  for (bool broken_off = true; broken_off; departure = Departure::kDied) {
    if (departure == Departure::kDied && random_.Percent(50)) {
      now_ += random_.Milliseconds(0, 3000);
      world_->PassWithoutCoordinator(now_);
    }
    if (!TakeOverOnce(departure, &broken_off)) return false;
    tally_.cut_takeovers += broken_off;
  }
  return !Ended();
}

bool Simulation::TakeOverOnce(Departure departure, bool* broken_off) {
  ++step_;
  ++tally_.rebirths;
  if (random_.Percent(20)) DrawHabits();
  const policy::Legacy legacy = world_->WhatIsFound(now_, options_, departure);
  for (const policy::Legacy::Found& found : legacy.workers) {
    tally_.restarting_found += found.state == policy::WorkerState::kRestarting;
  }
  tally_.ignored += supervisor_->events_ignored();
  supervisor_.emplace(options_);
  policy::Actions actions = supervisor_->Resume(now_, legacy);
  if (tamper_) tamper_(*supervisor_, &actions);
  world_->PublishWanted(supervisor_->workers_wanted());
  const std::optional<policy::Action> died_in = CutOff(&actions);
  *broken_off = died_in.has_value();
  Note(policy::Woke{}, std::move(actions), true);
  const policy::Actions& done = trace_.back().actions;
  invariants_->See(world_->processes());
  const std::string wrong = invariants_->Reborn(now_, options_, legacy, done, ViewOf(*supervisor_),
                                                {*broken_off, world_->header()});
  if (!wrong.empty()) return Fail(wrong);
  if (!CarryOut(done)) return false;
  if (died_in.has_value()) {
    world_->BreakOff(now_, *died_in);
  } else {
    world_->Publish(supervisor_->slots());
  }
  return true;
}

void Simulation::CountWorld() {
  if (!world_.has_value()) return;
  tally_.cut_births += world_->unnoted();
  tally_.dismissed += world_->dismissed();
  tally_.lies += world_->lies();
  tally_.late_ends += world_->late_ends();
  tally_.late_hellos += world_->late_hellos();
}

void Simulation::CountStates() {
  bool healthy = false, suspect = false;
  for (const policy::Slot& slot : supervisor_->slots()) {
    tally_.stopped += slot.stopped_by.has_value();
    tally_.errored += slot.restarts.Errored(options_.restarts);
    tally_.graces += !slot.wanted && !slot.live && !slot.closed && slot.retire_at > now_;
    if (!slot.incumbent.has_value()) continue;
    const bool restarts = slot.incumbent->state == policy::WorkerState::kRestarting;
    tally_.restarting_live += restarts && slot.live;
    if (slot.incumbent->state != policy::WorkerState::kServing) continue;
    (slot.incumbent->suspect ? suspect : healthy) = true;
  }
  tally_.all_suspect += suspect && !healthy;
}

void Simulation::Count(const policy::Event& event, const policy::Actions& actions) {
  if (const auto* probe = std::get_if<policy::ProbeAnswered>(&event)) {
    tally_.probes_failed += !probe->passed;
  }
  if (const auto* health = std::get_if<policy::HealthObserved>(&event)) {
    tally_.suspicions += health->health == policy::Health::kSuspect;
  }
  if (const auto* ended = std::get_if<policy::ProgramEnded>(&event)) {
    ++tally_.programs_ended;
    tally_.programs_failed += ended->reason == "did not listen in time";
  }
  tally_.wide_rolls += supervisor_->rolling() && options_.roll_width > 1;
  for (const policy::Action& action : actions) {
    tally_.programs_started += std::holds_alternative<policy::StartProgram>(action);
    tally_.probes += std::holds_alternative<policy::Probe>(action);
    tally_.adoptions += std::holds_alternative<policy::Adopt>(action);
    tally_.releases += std::holds_alternative<policy::Release>(action);
    tally_.evacuations += std::holds_alternative<policy::Evacuate>(action);
    tally_.sharings += std::holds_alternative<policy::Rebalance>(action);
    if (const auto* report = std::get_if<policy::Report>(&action)) {
      tally_.programs_done += absl::StrContains(report->text, "its program") &&
                              absl::StrContains(report->text, "stays down");
      tally_.recycles += absl::StrContains(report->text, ": was recycled");
      tally_.recycles_failed += absl::StrContains(report->text, ": cannot be recycled");
    }
    if (const auto* drain = std::get_if<policy::Drain>(&action)) {
      const Member* const leaves = invariants_->chronicle().Find(drain->worker);
      tally_.restarting_drained +=
          leaves != nullptr && leaves->state == policy::WorkerState::kRestarting;
      tally_.inherited += !drain->heirs.empty();
      tally_.sent_away += drain->heirs.size() == 1 && drain->heirs[0].slot == drain->worker.slot &&
                          drain->heirs[0].generation < drain->worker.generation;
    }
    fingerprint_ = (fingerprint_ ^ action.index()) * 0x100000001b3u;
    tally_.spawns += std::holds_alternative<policy::Spawn>(action);
    tally_.kills += std::holds_alternative<policy::Kill>(action);
    if (const auto* spawn = std::get_if<policy::Spawn>(&action)) {
      fingerprint_ = (fingerprint_ ^ spawn->worker.generation) * 0x100000001b3u;
    }
    const auto* answer = std::get_if<policy::Acknowledge>(&action);
    if (answer == nullptr) continue;
    tally_.done += answer->outcome == policy::Outcome::kDone;
    tally_.failed += answer->outcome == policy::Outcome::kFailed;
    tally_.refused += answer->outcome == policy::Outcome::kRefused;
    tally_.rolls_done += absl::StartsWith(answer->text, "rolled");
    tally_.upgrades_failed += absl::StartsWith(answer->text, "the coordinator goes on as it was");
    const bool aborted = absl::StartsWith(answer->text, "roll aborted");
    tally_.rolls_aborted += aborted;
    tally_.soaks_failed += aborted && (absl::StrContains(answer->text, "just ready") ||
                                       absl::StrContains(answer->text, "had been ready"));
  }
}

bool Simulation::Fail(const std::string& what) {
  failure_ = absl::StrCat(
      what, "\nseed ", seed_, ", life ", tally_.lives, ", step ", step_, ", slots wanted ",
      supervisor_->workers_wanted(), "\nthe last steps were:\n", Trace(),
      "replay: bazel test //tests/sim:simulation_test --test_output=all --test_env=UC_SIM_SEED=",
      seed_, " --test_env=UC_SIM_STEPS=", step_ + 1, "\n");
  return false;
}

std::string Simulation::Trace() const {
  std::string text;
  const absl::Time first = trace_.empty() ? now_ : trace_.front().now;
  for (const Record& record : trace_) {
    absl::StrAppend(&text, "  +", absl::FormatDuration(record.now - first), " ",
                    record.reborn ? "reborn" : policy::ToText(record.event), "\n");
    for (const policy::Action& action : record.actions) {
      absl::StrAppend(&text, "      -> ", policy::ToText(action), "\n");
    }
  }
  absl::StrAppend(&text, "  +", absl::FormatDuration(now_ - first), " now\n");
  return text;
}

}  // namespace uc::sim
