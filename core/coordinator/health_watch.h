// HealthWatch: which workers are stuck, starved or suspect? Reads heartbeats, accept queues and /proc; what is done
// about it is the Supervisor's.
//
// Bounded: an idle cluster is left alone but for a look each second, until a connection stirs it; where there are many
// workers, the looks become rarer instead of dearer.
#ifndef CORE_COORDINATOR_HEALTH_WATCH_H_
#define CORE_COORDINATOR_HEALTH_WATCH_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "core/coordinator/listener_keep.h"
#include "core/coordinator/publish.h"
#include "core/net/steering.h"
#include "core/policy/event.h"
#include "core/policy/health.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

class HealthWatch {
 public:
  // `program`: the workers say themselves whether work waits for them (Report::work_waits).
  enum class Workers { kNative, kProgram };
  HealthWatch(const policy::HealthOptions& options, Workers workers)
      : options_(options), workers_(workers) {}

  absl::Time due() const { return due_; }
  // At the last look nothing had happened since the one before: whoever waits for due() waits for connections to any
  // listener as well, and tells of the first one by Stir().
  bool idle() const { return idle_; }
  void Stir(absl::Time now);
  // Looks at all, judges, and sets due(). Workers that are not well are told of each time, others when they change.
  // `steering`: one that counts what it has sent (Balance::kLeastConnections), or nullptr; with it only queues that it
  // counts something for are asked.
  std::vector<policy::HealthObserved> Look(absl::Time now, Processes& processes,
                                           const scoreboard::Layout& layout,
                                           ListenerKeep& listeners, const net::Steering* steering);

 private:
  absl::Duration BusyPeriod(size_t workers) const;
  absl::Duration IdlePeriod() const;

  const policy::HealthOptions options_;
  const Workers workers_;
  absl::Time due_ = absl::InfinitePast();
  bool idle_ = false;
  absl::Time ask_all_at_ = absl::InfinitePast();
  uint64_t traffic_seen_ = 0;  // connections and requests at the last look
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_HEALTH_WATCH_H_
