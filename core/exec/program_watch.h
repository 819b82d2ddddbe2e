// ProgramWatch: looks at the program from outside, and says what it sees where others read it: the heartbeat, the
// silence and the counters on the scoreboard, and its load to the steering.
//
// What it sees comes as arguments, and it acts upon nothing: a program that is silent is the coordinator's affair.
// Looks are frequent while connections come, for silence is to be noticed before clients do, and rare when none do.
#ifndef CORE_EXEC_PROGRAM_WATCH_H_
#define CORE_EXEC_PROGRAM_WATCH_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "core/exec/preload/protocol.h"
#include "core/exec/queue_watch.h"
#include "core/net/slot_load.h"
#include "core/scoreboard/layout.h"

namespace uc::exec {

class ProgramWatch {
 public:
  struct Seen {
    uint32_t waiting = 0;      // connections in its accept queues
    Life life = {};            // of all its processes
    bool turns_known = false;  // somebody counts them in `life`
    bool ready = false;
  };

  // `row`: the slot's own; borrowed. `period`: of looks without connections, no longer than the heartbeat's.
  ProgramWatch(scoreboard::Report& row, absl::Duration period) : row_(row), period_(period) {}

  // There is steering that wants to know.
  void Steer(net::SlotLoad load) { load_.emplace(std::move(load)); }

  // The next Look().
  absl::Time due() const { return look_at_; }
  // No connection has come for a while: whoever waits for due() waits for connections as well, and tells of the first
  // one by Stir().
  bool idle(absl::Time now) const;
  void Stir(absl::Time now);
  // The program serves from now on; looked at at once.
  void BeginServing(absl::Time now);
  void Look(absl::Time now, const Seen& seen);
  // What the program's processes have counted since the last time goes to the scoreboard and to the steering.
  void Count(const Life& life);

 private:
  void Beat(absl::Time now);

  scoreboard::Report& row_;
  const absl::Duration period_;
  std::optional<net::SlotLoad> load_;
  QueueWatch queue_;
  absl::Time look_at_ = absl::InfinitePast();
  absl::Time traffic_at_ = absl::InfinitePast();
  Life counted_ = {};
  uint64_t accepted_at_look_ = 0;
  absl::Time forget_at_ = absl::InfinitePast();
};

}  // namespace uc::exec

#endif  // CORE_EXEC_PROGRAM_WATCH_H_
