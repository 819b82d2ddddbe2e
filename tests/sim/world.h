// World: a model of the operating system, the worker processes and the operator, in virtual time.
//
// It carries out actions and makes events. Its weather says how bad the times are; what a process will
// do is drawn at its birth. All chance comes from one seed. The coordinator is mortal: what the next one
// finds is the truth of this world, not what the dead one believed.
#ifndef TESTS_SIM_WORLD_H_
#define TESTS_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/supervisor.h"
#include "tests/sim/random.h"

namespace uc::sim {

enum class Weather {
  kQuiet,     // nothing goes wrong, nobody asks for anything
  kCalm,      // a fault now and then, some commands
  kStorm,     // anything, at any time
  kBadBuild,  // what runs is good, what is born is not
};

// How long good things, a silence, an upgrade and a SIGKILL take at most.
inline constexpr absl::Duration kBootMax = absl::Milliseconds(500);
inline constexpr absl::Duration kProbeMax = absl::Milliseconds(200);
inline constexpr absl::Duration kExitMax = absl::Milliseconds(300);
inline constexpr absl::Duration kSilenceMax = absl::Seconds(5);
inline constexpr absl::Duration kUpgradeMax = absl::Seconds(3);
inline constexpr absl::Duration kKillMax = absl::Seconds(2);
inline constexpr absl::Duration kHangTimeout = absl::Seconds(10);

enum class Turn {
  kNothing,            // it came to nothing: its worker is dead by now
  kEvent,              // something happened
  kCoordinatorDies,    // kill -9
  kProgramIsReplaced,  // the upgrade succeeds, if it is still wanted
};

class World {
 public:
  World(uint64_t seed, absl::Time start, const policy::SupervisorOptions& options);

  void SetWeather(Weather weather);
  // The command is given at a time of the world's choosing, soon.
  policy::CommandId Plan(const policy::Command& command);

  // When something happens next; InfiniteFuture: nothing will.
  absl::Time NextTime() const;
  // What happens at NextTime().
  Turn Next(policy::Event* event);

  // "" or why this cannot be carried out.
  std::string CarryOut(absl::Time now, const policy::Action& action);
  // How many of so many actions the coordinator lives to carry out: mostly all.
  size_t CarriedOut(size_t actions);
  // The coordinator has died. What the next one finds; `options`: what it was started with.
  policy::Legacy WhatIsFound(absl::Time now, uint32_t workers_wanted,
                             const policy::SupervisorOptions& options,
                             std::vector<policy::SlotIndex> stopped);

 private:
  enum class Kind {
    kKept,
    kReady,
    kProbeAnswered,
    kRefuse,
    kSpawnFails,
    kExit,
    kCrash,   // as kExit, but the weather may improve before
    kSilent,  // for a while
    kSilenceSeen,
    kAnswers,
    kHang,  // silent for ever
    kStuckSeen,
    kStarved,
    kBloated,  // takes too much memory, from now on
    kGossip,
    kCommand,
    kUpgradeFails,
    kUpgradeDone,
    kCoordinatorDies
  };
  struct Happening {
    absl::Time at;
    uint64_t order = 0;  // of two at one time, the one that was planned first
    Kind kind = Kind::kGossip;
    policy::WorkerId worker;
    policy::Fault fault = policy::Fault::kWorld;
    bool good = false;              // the exit is clean, the probe is passed
    std::optional<int> exit_code;   // of an exit that is not clean; nullopt: a signal
    policy::CommandId command = 0;  // of an upgrade
    bool operator<(const Happening& other) const {  // for a queue that gives the earliest
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Process {
    policy::WorkerId id;
    policy::Entry entry = policy::Entry::kAtOnce;
    absl::Time ready_at = absl::InfiniteFuture();
    bool ready = false;
    bool admitted = false;
    bool silent = false;
    bool hung = false;
    bool draining = false;
    bool killed = false;
    std::set<policy::SlotIndex> adopted;
  };

  void Plan(absl::Time at, Kind kind, policy::WorkerId worker, bool good = false,
            policy::CommandId command = 0);
  void PlanBirth(absl::Time now, policy::WorkerId worker);
  void PlanLife(absl::Time now, policy::WorkerId worker);
  void PlanFailedBirth(absl::Time now, policy::WorkerId worker);
  void PlanProbe(absl::Time now, policy::WorkerId worker);
  void PlanDrain(absl::Time now, policy::WorkerId worker);
  void PlanKill(absl::Time now, policy::WorkerId worker);
  void PlanUpgrade(absl::Time now, policy::CommandId command);
  void PlanGossip(absl::Time now);
  void PlanCommand(absl::Time now);
  void PlanDeath(absl::Time now);
  bool TakePlace(const Happening& happening, policy::Event* event);
  bool Worker(const Happening& happening, Process& process, policy::Event* event);
  bool Binds(const Process& process, policy::Event* event);
  bool GivesCommand(const Happening& happening, policy::Event* event);
  policy::Event Gossip();
  policy::Command AnyCommand();
  policy::WorkerState StateOf(const Process& process);
  // The process of this action; nullptr: there is none.
  Process* Of(const policy::WorkerId& id);
  void Bury(policy::WorkerId worker);
  bool Fault(uint64_t calm_percent, uint64_t storm_percent);

  Random random_;
  policy::SupervisorOptions options_;
  absl::Time now_;
  Weather weather_ = Weather::kQuiet;
  std::priority_queue<Happening> ahead_;
  uint64_t order_ = 0;
  std::map<policy::Generation, Process> alive_;
  std::set<policy::SlotIndex> kept_;  // slots whose listeners the coordinator keeps
  policy::Generation newest_ = 0;
  policy::CommandId upgrade_ = 0;                      // under way; 0: none
  std::vector<policy::WorkerId> dead_;                 // the last ones, for gossip
  std::map<uint64_t, policy::CommandGiven> commands_;  // by order of their happening
  policy::CommandId next_command_ = 1;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_WORLD_H_
