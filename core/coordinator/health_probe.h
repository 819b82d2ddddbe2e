// HealthProbe: one worker's heartbeat and CPU accounts, as the observation that policy::Judge() wants.
//
// Cheap while all is well: the heartbeat is a load from shared memory; /proc is read only once the
// heartbeat has been silent for a quarter of the hang time-out, or for an instant while work waits.
#ifndef CORE_COORDINATOR_HEALTH_PROBE_H_
#define CORE_COORDINATOR_HEALTH_PROBE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
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
  // `work_waits` says whether connections wait for this worker; asked only in a silence.
  policy::HealthObservation Observe(absl::Time now, pid_t pid, const scoreboard::WorkerRow& row,
                                    const policy::HealthOptions& options,
                                    const std::function<bool()>& work_waits);

 private:
  int64_t heartbeat_ns_ = 0;    // that all below belongs to
  absl::Duration age_noticed_;  // of the heartbeat, when the silence was noticed
  std::optional<absl::Time> waiting_since_;
  std::optional<CpuAccount> before_;  // when the silence was noticed
  absl::Time noticed_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_HEALTH_PROBE_H_
