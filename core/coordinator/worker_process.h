// WorkerProcess: one living worker as the coordinator holds it. Its numbers are ours; what it says over
// the link is gossip.
#ifndef CORE_COORDINATOR_WORKER_PROCESS_H_
#define CORE_COORDINATOR_WORKER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "core/base/fd.h"
#include "core/coordinator/health_probe.h"
#include "core/link/channel.h"
#include "core/policy/event.h"

namespace uc::coordinator {

struct WorkerProcess {
  policy::WorkerId id;
  pid_t pid = 0;
  Fd pidfd;
  std::optional<link::Channel> channel;  // empty once the worker has closed it
  Fd inbox;                              // writing end: for those that hand connections over to it
  uint32_t row = 0;                      // in the scoreboard
  uint32_t ring_entries = 0;             // that its ring was allotted; 0: not known
  bool http = true;                      // its app speaks HTTP; known from READY on
  policy::Health last_health = policy::Health::kWell;  // that the supervisor was told
  HealthProbe health;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_WORKER_PROCESS_H_
