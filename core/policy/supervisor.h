// Supervisor: decides everything that a cluster does. PURE: no syscall, no clock, no randomness; proven
// by a seeded simulator in virtual time (tests/sim).
//
// Level-triggered: after each event it compares what is wanted with what is, and asks for the
// difference. Invariants (DESIGN.md 11): during a roll the serving workers never fall below slots minus
// width; the live set is never empty while a slot serves and holds no crash loop; no action names a dead
// generation; at most two workers in a slot; the spawn rate is bounded; each command is acknowledged
// exactly once; no terminal state.
#ifndef CORE_POLICY_SUPERVISOR_H_
#define CORE_POLICY_SUPERVISOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/slot.h"

namespace uc::policy {

// Commands that wait for their end at one time. More are refused, but a Stop is always carried out.
inline constexpr size_t kCommandsMax = 256;

struct SupervisorOptions {
  uint32_t workers = 1;                               // 1 .. kWorkersMax
  absl::Duration listen_timeout = absl::Seconds(10);  // from Spawn to READY
  absl::Duration kill_timeout = absl::Seconds(10);    // from Drain to exit, then SIGKILL
  uint32_t starting_max = 16;                         // workers in kStarting at one time
  RestartOptions restarts;
};

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options);
  Supervisor(Supervisor&&) noexcept;
  ~Supervisor();

  // Spawns the first workers. Call once, before any Step.
  Actions Start(absl::Time now);
  // `now` never goes back. Actions are to be carried out in order; their results come as later events.
  Actions Step(absl::Time now, const Event& event);
  // Step with Woke{} is due then at the latest; InfiniteFuture: nothing is pending.
  absl::Time NextDeadline() const;

  // All slots that exist, by index; retiring ones included.
  absl::Span<const Slot> slots() const;
  uint32_t workers_wanted() const;
  bool rolling() const;
  bool stopping() const;
  // Events that named a dead or unknown worker: ignored, counted.
  uint64_t events_ignored() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_SUPERVISOR_H_
