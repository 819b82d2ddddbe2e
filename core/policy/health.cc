#include "core/policy/health.h"

namespace uc::policy {
namespace {

// What is left of a silence without the time in which it had no choice.
absl::Duration OfItsOwn(absl::Duration silence, const HealthObservation& observation) {
  return silence - observation.run_queue_delay;
}

}  // namespace

Health Judge(const HealthObservation& observation, const HealthOptions& options) {
  if (options.hang_timeout != absl::InfiniteDuration() &&
      observation.since_heartbeat >= options.hang_timeout) {
    return OfItsOwn(observation.since_heartbeat, observation) >= options.hang_timeout
               ? Health::kStuck
               : Health::kStarved;
  }
  if (options.suspect_after != absl::InfiniteDuration() &&
      OfItsOwn(observation.work_waiting, observation) >= options.suspect_after) {
    return Health::kSuspect;
  }
  return Health::kWell;
}

}  // namespace uc::policy
