// Simulation: many lives of clusters in virtual time, one after the other, with every invariant asked
// after every step.
//
// A life: boot in any weather; some acts of calm, storm and bad builds; after each the faults stop and
// the cluster must recover within a named time; in the end it is stopped, and must finish. Meanwhile the
// coordinator dies at any moment, even in the middle of its actions, and another one goes on.
#ifndef TESTS_SIM_SIMULATION_H_
#define TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/policy/supervisor.h"
#include "tests/sim/invariants.h"
#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace uc::sim {

// How long after the last fault all wanted slots serve, all retired ones are gone and all commands are
// answered, with `slots` slots at most.
absl::Duration RecoveryMax(const policy::SupervisorOptions& options, uint32_t slots);
// How long a stop takes.
absl::Duration StopMax(const policy::SupervisorOptions& options);

// Breaks a rule on purpose, to see an invariant fall.
using Tamper = std::function<void(const policy::Supervisor&, policy::Actions*)>;

class Simulation {
 public:
  explicit Simulation(uint64_t seed, Tamper tamper = nullptr, const Habits& habits = {});

  // "" or what went wrong: the rule, what came before it, and the command that replays it.
  std::string Run(uint64_t steps);
  // The same for the same seed and steps.
  uint64_t fingerprint() const { return fingerprint_; }

  // What was lived through, to be sure that the simulator does not only see sunshine.
  struct Tally {
    uint64_t lives = 0, failed_boots = 0, recoveries = 0, spawns = 0, kills = 0, ignored = 0;
    uint64_t done = 0, failed = 0, refused = 0, rolls_done = 0, rolls_aborted = 0;
    uint64_t rebirths = 0, broken_off = 0, upgrades_failed = 0, upgrades_done = 0;
    uint64_t probes = 0, probes_failed = 0, soaks_failed = 0, sent_away = 0;
    uint64_t adoptions = 0, releases = 0, evacuations = 0, sharings = 0, inherited = 0;
    uint64_t recycles = 0, recycles_failed = 0, stopped = 0, errored = 0;
    uint64_t cut_births = 0, dismissed = 0, lies = 0, cut_takeovers = 0;
    uint64_t programs_ended = 0, programs_started = 0, programs_failed = 0, programs_done = 0;
    uint64_t restarting_live = 0, restarting_drained = 0, restarting_found = 0, late_ends = 0,
             late_hellos = 0;
    uint64_t suspicions = 0, all_suspect = 0, graces = 0, wide_rolls = 0;
  };
  const Tally& tally() const { return tally_; }

 private:
  struct Record {
    absl::Time now;
    policy::Event event;
    policy::Actions actions;
    bool reborn = false;  // no event: a new coordinator looked around
  };

  void BeginLife();
  void DrawHabits();
  bool LiveOneLife();
  bool Act(Weather weather, uint64_t steps);
  bool Recover();
  bool Stop();
  // False: over, by the end of the cluster, of the steps, or by a violation.
  bool Advance();
  bool Take(absl::Time now, const policy::Event& event);
  bool Process(absl::Time now, const policy::Event& event, policy::Actions actions);
  // The coordinator has died, or replaced itself; another one goes on, if it does not die in its own beginning.
  bool BeReborn(Departure departure);
  bool TakeOverOnce(Departure departure, bool* broken_off);
  // Cuts `actions` off where the coordinator dies; the action that it dies in is the first one that is gone.
  std::optional<policy::Action> CutOff(policy::Actions* actions);
  void Note(const policy::Event& event, policy::Actions actions, bool reborn);
  void CountWorld();
  bool CarryOut(const policy::Actions& actions);
  void Count(const policy::Event& event, const policy::Actions& actions);
  void CountStates();
  bool Fail(const std::string& what);
  bool Ended() const {
    return !failure_.empty() || step_ >= steps_ || invariants_->chronicle().finished;
  }
  std::string Trace() const;

  const uint64_t seed_;
  const Tamper tamper_;
  const Habits habits_;
  Random random_;
  uint64_t steps_ = 0;
  uint64_t step_ = 0;
  uint64_t fingerprint_ = 0;
  std::string failure_;
  Tally tally_;

  policy::SupervisorOptions options_;
  std::optional<policy::Supervisor> supervisor_;
  std::optional<World> world_;
  std::optional<Invariants> invariants_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::deque<Record> trace_;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_SIMULATION_H_
