// Health: is this worker stuck, or only starved of CPU? PURE.
//
// A stale heartbeat alone proves nothing: on a starved machine every heartbeat is stale (uvicorn #2506).
// So the time that the process was runnable without running is taken from the time since its last heartbeat, and
// the rest is judged: who ran (endless loop), slept (blocked handler) or is stopped for so long is stuck. Refused:
// calling starved who waited most of the time; on a busy machine that is everybody, also an endless loop.
//
// Suspicion comes long before: connections wait in its accept queue and its loop does not turn. A suspect is
// steered round and its queue is served by another; nothing else happens to it, so that a false suspicion
// costs nothing.
#ifndef CORE_POLICY_HEALTH_H_
#define CORE_POLICY_HEALTH_H_

#include "absl/time/time.h"

namespace uc::policy {

enum class Health {
  kWell,
  kStarved,  // silent, because the machine gives it no CPU
  kSuspect,  // silent while work waits for it
  kStuck,    // silent for the hang time-out
};

struct HealthObservation {
  absl::Duration since_heartbeat;
  // How long work is known to have waited for it in this silence; zero: none waits.
  absl::Duration work_waiting;
  // Both grown since the silence was noticed.
  absl::Duration cpu_time;
  absl::Duration run_queue_delay;
};

struct HealthOptions {
  absl::Duration hang_timeout = absl::Seconds(10);  // InfiniteDuration: nobody is ever stuck
  absl::Duration suspect_after =
      absl::Milliseconds(50);  // InfiniteDuration: nobody is ever suspect
};

// Without the time that was spent waiting for a CPU: kStuck past hang_timeout, kSuspect when work waited for
// suspect_after, else kWell; kStarved past hang_timeout with it.
Health Judge(const HealthObservation& observation, const HealthOptions& options);

}  // namespace uc::policy

#endif  // CORE_POLICY_HEALTH_H_
