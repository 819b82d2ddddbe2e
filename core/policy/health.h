// Health: is this worker stuck, or only starved of CPU? PURE.
//
// A stale heartbeat alone proves nothing: on a starved machine every heartbeat is stale (uvicorn #2506).
// So the run-queue delay of the process (/proc/PID/schedstat, field 2: time spent runnable but not
// running) is held against the time since its last heartbeat: who waited for a CPU most of that time is
// starved, who ran (endless loop), slept (blocked handler) or is stopped is stuck.
#ifndef CORE_POLICY_HEALTH_H_
#define CORE_POLICY_HEALTH_H_

#include "absl/time/time.h"

namespace uc::policy {

enum class Health { kWell, kStarved, kStuck };

struct HealthObservation {
  absl::Duration since_heartbeat;
  // Both grown since the last heartbeat was seen to change.
  absl::Duration cpu_time;
  absl::Duration run_queue_delay;
};

// kWell below `hang_timeout`; past it kStarved when at least half of the time (and some of it) was spent
// waiting for a CPU, else kStuck. hang_timeout of InfiniteDuration turns the judgement off.
Health Judge(const HealthObservation& observation, absl::Duration hang_timeout);

}  // namespace uc::policy

#endif  // CORE_POLICY_HEALTH_H_
