#include "core/policy/health.h"

namespace uc::policy {

Health Judge(const HealthObservation& observation, absl::Duration hang_timeout) {
  if (observation.since_heartbeat < hang_timeout || hang_timeout == absl::InfiniteDuration()) {
    return Health::kWell;
  }
  const absl::Duration waited = observation.run_queue_delay;
  const bool starved = waited > absl::ZeroDuration() && 2 * waited >= observation.since_heartbeat;
  return starved ? Health::kStarved : Health::kStuck;
}

}  // namespace uc::policy
