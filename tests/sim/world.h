// World: a model of the operating system, the worker processes and the operator, in virtual time.
//
// It carries out actions and makes events. Its weather says how bad the times are; what a process will
// do is drawn at its birth. All chance comes from one seed.
#ifndef TESTS_SIM_WORLD_H_
#define TESTS_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <queue>
#include <set>
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

// How long good things and a SIGKILL take at most.
inline constexpr absl::Duration kBootMax = absl::Milliseconds(500);
inline constexpr absl::Duration kExitMax = absl::Milliseconds(300);
inline constexpr absl::Duration kKillMax = absl::Seconds(2);
inline constexpr absl::Duration kHangTimeout = absl::Seconds(10);

class World {
 public:
  World(uint64_t seed, absl::Time start, const policy::SupervisorOptions& options);

  void SetWeather(Weather weather);
  // The command is given at a time of the world's choosing, soon.
  policy::CommandId Plan(const policy::Command& command);

  // When something happens next; InfiniteFuture: nothing will.
  absl::Time NextTime() const;
  // What happens at NextTime(); false: it came to nothing (its worker is dead by now).
  bool Next(policy::Event* event);

  // "" or why this cannot be carried out.
  std::string CarryOut(absl::Time now, const policy::Action& action);

 private:
  enum class Kind {
    kReady,
    kRefuse,
    kSpawnFails,
    kExit,
    kCrash,  // as kExit, but the weather may improve before
    kHang,
    kStuckSeen,
    kStarved,
    kGossip,
    kCommand
  };
  struct Happening {
    absl::Time at;
    uint64_t order = 0;  // of two at one time, the one that was planned first
    Kind kind = Kind::kGossip;
    policy::WorkerId worker;
    policy::Fault fault = policy::Fault::kWorld;
    bool clean = false;
    bool operator<(const Happening& other) const {  // for a queue that gives the earliest
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Process {
    policy::WorkerId id;
    bool hung = false;
    bool ready = false;
  };

  void Plan(absl::Time at, Kind kind, policy::WorkerId worker, bool clean = false);
  void PlanBirth(absl::Time now, policy::WorkerId worker);
  void PlanLife(absl::Time now, policy::WorkerId worker);
  void PlanFailedBirth(absl::Time now, policy::WorkerId worker);
  void PlanDrain(absl::Time now, policy::WorkerId worker);
  void PlanGossip(absl::Time now);
  void PlanCommand(absl::Time now);
  bool TakePlace(const Happening& happening, policy::Event* event);
  policy::Event Gossip();
  policy::Command AnyCommand();
  void Bury(policy::WorkerId worker);
  bool Fault(uint64_t calm_percent, uint64_t storm_percent);

  Random random_;
  const policy::SupervisorOptions options_;
  absl::Time now_;
  Weather weather_ = Weather::kQuiet;
  std::priority_queue<Happening> ahead_;
  uint64_t order_ = 0;
  std::map<policy::Generation, Process> alive_;
  std::vector<policy::WorkerId> dead_;                 // the last ones, for gossip
  std::map<uint64_t, policy::CommandGiven> commands_;  // by order of their happening
  policy::CommandId next_command_ = 1;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_WORLD_H_
