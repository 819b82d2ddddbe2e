#include "core/policy/health.h"

namespace uc::policy {
namespace {

bool Starved(absl::Duration waited_for_cpu, absl::Duration silence) {
  return waited_for_cpu > absl::ZeroDuration() && 2 * waited_for_cpu >= silence;
}

}  // namespace

Health Judge(const HealthObservation& observation, const HealthOptions& options) {
  if (options.hang_timeout != absl::InfiniteDuration() &&
      observation.since_heartbeat >= options.hang_timeout) {
    return Starved(observation.run_queue_delay, observation.since_heartbeat) ? Health::kStarved
                                                                             : Health::kStuck;
  }
  if (options.suspect_after != absl::InfiniteDuration() &&
      observation.work_waiting >= options.suspect_after) {
    return Starved(observation.run_queue_delay, observation.work_waiting) ? Health::kStarved
                                                                          : Health::kSuspect;
  }
  return Health::kWell;
}

}  // namespace uc::policy
