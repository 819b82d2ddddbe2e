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
#include <utility>

#include "absl/time/time.h"
#include "core/policy/health.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

// What /proc/PID/schedstat and stat say: ns since the process began on a CPU, and runnable without one; and whether
// it is runnable now.
struct CpuAccount {
  int64_t running_ns = 0;
  int64_t waiting_ns = 0;  // of waits that are over
  bool runnable = false;
};
std::optional<CpuAccount> ReadCpuAccount(pid_t pid);

class HealthProbe {
 public:
  using Reader = std::function<std::optional<CpuAccount>(pid_t)>;
  explicit HealthProbe(Reader read = ReadCpuAccount) : read_(std::move(read)) {}

  // `work_waits` says whether connections wait for this worker; asked only in a silence.
  policy::HealthObservation Observe(absl::Time now, pid_t pid, const scoreboard::Report& report,
                                    const policy::HealthOptions& options,
                                    const std::function<bool()>& work_waits);
  // At the last look it was silent while work waited for it.
  bool suspicious() const { return waiting_since_.has_value(); }

 private:
  absl::Duration WaitedForCpu(absl::Time now, const CpuAccount& account) const;

  Reader read_;
  int64_t heartbeat_ns_ = 0;    // that all below belongs to
  absl::Duration age_noticed_;  // of the heartbeat, when the silence was noticed
  std::optional<absl::Time> waiting_since_;
  std::optional<CpuAccount> before_;  // when the silence was noticed
  absl::Time noticed_;
  bool runnable_ = false;  // at each look since then
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_HEALTH_PROBE_H_
