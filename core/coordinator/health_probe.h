// HealthProbe: one worker's heartbeat and CPU accounts, as the observation that policy::Judge() wants.
//
// Cheap while all is well: the heartbeat is a load from shared memory; /proc is read only once the
// heartbeat has been silent for a quarter of the hang time-out.
#ifndef CORE_COORDINATOR_HEALTH_PROBE_H_
#define CORE_COORDINATOR_HEALTH_PROBE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "core/policy/health.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

// What /proc/PID/schedstat says, in ns since the process began: on a CPU, and runnable without one.
struct CpuAccount {
  int64_t running_ns = 0;
  int64_t waiting_ns = 0;
};
std::optional<CpuAccount> ReadCpuAccount(pid_t pid);

class HealthProbe {
 public:
  policy::HealthObservation Observe(absl::Time now, pid_t pid, const scoreboard::WorkerRow& row,
                                    absl::Duration hang_timeout);

 private:
  int64_t heartbeat_ns_ = 0;          // that `before_` belongs to
  std::optional<CpuAccount> before_;  // when the silence was noticed
  absl::Time noticed_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_HEALTH_PROBE_H_
