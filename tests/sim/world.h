// World: a model of the operating system, the worker processes and the operator, in virtual time.
//
// It carries out actions and makes events. Its weather says how bad the times are; what a process will
// do is drawn at its birth. All chance comes from one seed. The coordinator is mortal, also between two system calls
// of one action: the next one reads a run directory that is half written, or lies (run_directory.h).
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
#include "absl/types/span.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/supervisor.h"
#include "tests/sim/chronicle.h"
#include "tests/sim/random.h"
#include "tests/sim/run_directory.h"

namespace uc::sim {

enum class Weather {
  kQuiet,     // nothing goes wrong, nobody asks for anything
  kCalm,      // a fault now and then, some commands
  kStorm,     // anything, at any time
  kBadBuild,  // what runs is good, what is born is not
};

// What a worker has behind it.
enum class Behind {
  kNothing,  // it is the application
  kProgram,  // that dies by itself, and is started again
};

// How long good things, a silence, an upgrade and a SIGKILL take at most.
inline constexpr absl::Duration kBootMax = absl::Milliseconds(500);
inline constexpr absl::Duration kProbeMax = absl::Milliseconds(200);
inline constexpr absl::Duration kExitMax = absl::Milliseconds(300);
inline constexpr absl::Duration kSilenceMax = absl::Seconds(5);
inline constexpr absl::Duration kUpgradeMax = absl::Seconds(3);
inline constexpr absl::Duration kKillMax = absl::Seconds(2);
inline constexpr absl::Duration kHangTimeout = absl::Seconds(10);

inline constexpr Pid kPidFirst = 1000;  // those below are other people's processes

// The order of the system calls that make a worker.
enum class BirthOrder {
  kRowFirst,  // number, row, door, process, its pid in the row
  kRowLast,   // number, door, process, row (before issue 10)
};

// What is broken on purpose, to see an invariant fall, or left to chance.
struct Habits {
  std::optional<TakeOver> take_over;  // nullopt: kChecked or kByRowsAndDoors, by chance
  BirthOrder birth = BirthOrder::kRowFirst;
  bool rows_lie = true;
  std::optional<Behind> behind;  // nullopt: by chance
};

enum class Departure { kDied, kReplacedItself };

// The processes there are, and those that the coordinator would reach by a worker's name.
struct Processes {
  std::map<policy::Generation, Pid> named;
  std::map<Pid, policy::Generation> alive;  // of the cluster; all others belong to somebody else
  std::vector<policy::Generation> deaf;     // it lives, and accepts nothing
};

enum class Turn {
  kNothing,            // it came to nothing: its worker is dead by now
  kEvent,              // something happened
  kCoordinatorDies,    // kill -9
  kProgramIsReplaced,  // the upgrade succeeds, if it is still wanted
};

class World {
 public:
  World(uint64_t seed, absl::Time start, const policy::SupervisorOptions& options,
        const Habits& habits = {});

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
  // The coordinator dies somewhere in this action.
  void BreakOff(absl::Time now, const policy::Action& action);
  // What the scoreboard says from now on: before the actions of a step, and after them.
  void PublishWanted(uint32_t wanted) { header_.workers_wanted = wanted; }
  void Publish(absl::Span<const policy::Slot> slots);
  // The coordinator has gone. Until the next one comes nobody hears what happens; `until` in the past: it is there.
  void PassWithoutCoordinator(absl::Time until);
  // What the next one finds; `options`: what it was started with.
  policy::Legacy WhatIsFound(absl::Time now, const policy::SupervisorOptions& options,
                             Departure departure);
  // Of the run directory that was read last.
  Header header() const { return header_read_; }
  Processes processes() const;
  uint64_t dismissed() const { return dismissed_; }
  uint64_t unnoted() const { return unnoted_; }
  uint64_t lies() const { return lies_; }
  uint64_t late_ends() const { return late_ends_; }
  uint64_t late_hellos() const { return late_hellos_; }

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
    kProgramEnds,
    kProgramIsAsked,  // StartProgram has come
    kProgramServes,   // after that
    kProgramFails,    // after that
    kProgramLate,     // it tells, when it answers again, of an end that nobody heard of
    kGreets,          // a coordinator that had knocked in vain hears what it does
    kHolds,           // and the slots that it holds besides, one by one
    kHang,            // silent for ever
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
    Pid pid = 0;  // a generation may be given again when the header of the scoreboard has lied
    policy::Fault fault = policy::Fault::kWorld;
    bool good = false;              // the exit is clean, the probe is passed
    std::optional<int> exit_code;   // of an exit that is not clean; nullopt: a signal
    policy::CommandId command = 0;  // of an upgrade
    uint64_t program = 0;           // of a worker, the so many-th
    bool operator<(const Happening& other) const {  // for a queue that gives the earliest
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Process {
    Pid pid = 0;
    policy::WorkerId id;                // as the coordinator names it
    policy::SlotIndex assigned = 0;     // its slot, as it was told at its birth
    std::optional<uint32_t> row_state;  // what its row says; nullopt: it has none
    bool pid_in_row = false;
    bool door = true;
    bool bound = false;  // it has listeners of its slot
    policy::Entry entry = policy::Entry::kAtOnce;
    absl::Time ready_at = absl::InfiniteFuture();
    bool ready = false;
    bool admitted = false;
    bool silent = false;
    bool hung = false;
    bool draining = false;
    bool killed = false;
    std::set<policy::SlotIndex> adopted;
    enum class Program { kServes, kEnded, kStarts } program = Program::kServes;
    uint64_t programs = 0;      // started again so often
    bool end_is_known = false;  // the coordinator that there is was told of its program's end
    bool inherited = false;     // another coordinator has spawned it
    bool greeted = true;        // and of what it does
    std::vector<policy::SlotIndex> untold;  // what it has to say yet that it holds
  };

  void Plan(absl::Time at, Kind kind, policy::WorkerId worker, bool good = false,
            policy::CommandId command = 0);
  void PlanBirth(absl::Time now, policy::WorkerId worker);
  void PlanLife(absl::Time now, policy::WorkerId worker);
  void PlanFailedBirth(absl::Time now, policy::WorkerId worker);
  void PlanProgram(absl::Time now, policy::WorkerId worker);
  void PlanProgramStart(absl::Time now, policy::WorkerId worker);
  void PlanProbe(absl::Time now, policy::WorkerId worker);
  void PlanDrain(absl::Time now, policy::WorkerId worker);
  void PlanKill(absl::Time now, policy::WorkerId worker);
  void PlanUpgrade(absl::Time now, policy::CommandId command);
  void PlanGossip(absl::Time now);
  void PlanCommand(absl::Time now);
  void PlanDeath(absl::Time now);
  bool TakePlace(const Happening& happening, policy::Event* event);
  bool Worker(const Happening& happening, Process& process, policy::Event* event);
  bool Program(const Happening& happening, Process& process, policy::Event* event);
  bool ProgramEnds(const Happening& happening, Process& process, policy::Event* event);
  bool ProgramIsAsked(Process& process, policy::Event* event);
  bool Greets(Process& process, policy::Event* event);
  bool Holds(Process& process, policy::Event* event);
  bool Binds(Process& process, policy::Event* event);
  bool GivesCommand(const Happening& happening, policy::Event* event);
  policy::Event Gossip();
  policy::Command AnyCommand();
  // It is in its loop and has time for us.
  static bool Answers(const Process& process) {
    return process.ready && !process.silent && !process.hung && !process.killed;
  }
  static policy::WorkerState StateOf(const Process& process);
  Process& MakeProcess(absl::Time now, const policy::Spawn& spawn);
  RunDirectory ReadableDirectory();
  void LieAbout(RunDirectory& directory);
  void LieInRow(Row& row);
  void TakeIn(const TakenOver& taken);
  void KeepWhatIsHeld();
  // The process of this action; nullptr: there is none.
  Process* Of(const policy::WorkerId& id);
  void Bury(policy::WorkerId worker);
  bool Fault(uint64_t calm_percent, uint64_t storm_percent);

  Random random_;
  const Habits habits_;
  const Behind behind_;
  policy::SupervisorOptions options_;
  absl::Time now_;
  Weather weather_ = Weather::kQuiet;
  std::priority_queue<Happening> ahead_;
  uint64_t order_ = 0;
  std::map<policy::Generation, Process> alive_;
  std::set<policy::SlotIndex> kept_;         // slots whose listeners the coordinator keeps
  std::map<policy::Generation, Pid> named_;  // the coordinator's own table
  RunDirectory header_;                      // its rows and doors are those of the processes
  std::vector<Row> left_rows_;               // of processes that ended, or never came to be
  bool coordinated_ = true;
  Header header_read_ = Header::kTrue;
  Pid next_pid_ = kPidFirst;
  uint64_t dismissed_ = 0, unnoted_ = 0, lies_ = 0, late_ends_ = 0, late_hellos_ = 0;
  policy::CommandId upgrade_ = 0;                      // under way; 0: none
  std::vector<policy::WorkerId> dead_;                 // the last ones, for gossip
  std::map<uint64_t, policy::CommandGiven> commands_;  // by order of their happening
  policy::CommandId next_command_ = 1;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_WORLD_H_
