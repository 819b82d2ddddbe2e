// Supervisor: decides everything that a cluster does. PURE: no syscall, no clock, no randomness; proven
// by a seeded simulator in virtual time (tests/sim).
//
// Level-triggered: after each event it compares what is wanted with what is, and asks for the
// difference. Invariants (DESIGN.md 11): during a roll the serving workers never fall below slots minus
// width; the live set is never empty while a slot serves and holds no crash loop; no action names a dead
// generation; at most two workers in a slot; the spawn rate is bounded; each command is acknowledged
// exactly once; at most one worker is recycled at a time; a worker whose program has ended is told
// once to start it again, not before its back-off; no terminal state that was not asked for.
#ifndef CORE_POLICY_SUPERVISOR_H_
#define CORE_POLICY_SUPERVISOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/slot.h"

namespace uc::policy {

// Commands that wait for their end at one time. More are refused, but a Stop is always carried out.
inline constexpr size_t kCommandsMax = 256;

// Births in the life of a cluster; a greater number was not written by a coordinator.
inline constexpr Generation kGenerationMax = 2'000'000'000;

enum class Retirement {
  kHold,     // the listeners of a retired slot are never closed: another worker serves them
  kMigrate,  // the kernel moves their queues to live listeners (Evacuate)
};

struct SupervisorOptions {
  uint32_t workers = 1;                               // 1 .. workers_max
  uint32_t workers_max = kWorkersMax;                 // what the mode in force can steer
  absl::Duration listen_timeout = absl::Seconds(10);  // from Spawn to READY
  absl::Duration kill_timeout = absl::Seconds(10);    // from Drain to exit, then SIGKILL
  uint32_t starting_max = 16;                         // workers and programs that start at one time
  uint32_t roll_width = 1;                            // slots that a roll renews at one time
  absl::Duration soak;                                // a successor's time beside its incumbent
  bool probing = false;   // a successor answers a probe before it accepts
  absl::Duration settle;  // and has been READY for so long: who dies at once never has clients
  Retirement retirement = Retirement::kHold;
  absl::Duration
      retire_grace;          // a retired slot still accepts that long when it is not live any more
  bool rebalancing = false;  // give a newcomer its share of the long-lived connections
  RestartOptions restarts;
};

// What a new coordinator finds. It may be wrong: the scoreboard may be damaged, and a worker says of itself what it
// likes. What cannot be is not believed, and a worker that cannot be is killed.
struct Legacy {
  struct Found {
    WorkerId worker;
    WorkerState state = WorkerState::kServing;
    absl::Time ready_at = absl::InfiniteFuture();
    std::vector<SlotIndex> adopted;  // the slots whose listeners it serves besides its own
    bool answered = true;            // false: `state` is its row's; its LateHello may follow
  };
  uint32_t workers_wanted = 1;
  Generation newest_generation = 0;  // that was ever given
  std::vector<Found> workers;        // all that live
  std::vector<SlotIndex> listeners;  // of these slots the coordinator keeps listeners
  std::map<SlotIndex, uint64_t> restart_counts;
  std::vector<SlotIndex> stopped;  // their workers ended for good
  std::vector<SlotIndex> live;     // new connections may reach them, whoever is there
};

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options);
  Supervisor(Supervisor&&) noexcept;
  ~Supervisor();

  // Spawns the first workers. Call once, before any Step.
  Actions Start(absl::Time now);
  // Instead of Start: the coordinator before this one has gone, its workers have not.
  Actions Resume(absl::Time now, const Legacy& legacy);
  // `now` never goes back. Actions are to be carried out in order; their results come as later events.
  Actions Step(absl::Time now, const Event& event);
  // Step with Woke{} is due then at the latest; InfiniteFuture: nothing is pending.
  absl::Time NextDeadline() const;

  // All slots that exist, by index; retiring ones included.
  absl::Span<const Slot> slots() const;
  uint32_t workers_wanted() const;
  bool rolling() const;    // somebody has asked for it
  bool recycling() const;  // one worker is replaced because it has had its day
  bool stopping() const;
  // A new program is being tried and the command for it has not been answered.
  bool upgrading() const;
  // Events that named a dead or unknown worker: ignored, counted.
  uint64_t events_ignored() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_SUPERVISOR_H_
