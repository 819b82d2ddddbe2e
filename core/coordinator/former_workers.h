// FormerWorkers: the workers of a coordinator that has gone, found by the scoreboard's rows and the doors that
// they keep in the run directory.
#ifndef CORE_COORDINATOR_FORMER_WORKERS_H_
#define CORE_COORDINATOR_FORMER_WORKERS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

// A process that is a worker for certain: the descriptor was opened first, then its door was found kept.
struct Survivor {
  pid_t pid = 0;
  Fd pidfd;
  uint32_t row = 0;
};
// Disturbs nobody. `directory`: BASE/NAME.
std::vector<Survivor> FindSurvivors(const std::string& directory, const scoreboard::Layout& layout);

std::string DoorPath(const std::string& directory, policy::Generation generation);

struct FormerWorker {
  Survivor process;
  policy::Legacy::Found found;
  std::optional<link::Channel> channel;  // empty: its door did not open
  bool greeted = false;  // it has said all; else it is stopped, starved or not in its loop yet
  Fd inbox;              // writing end
  std::vector<Fd> steering;
  std::vector<Fd> listeners;
  std::map<policy::SlotIndex, std::vector<Fd>> held;  // of the slots that it stands in for
};

struct Greeted {
  std::vector<FormerWorker> workers;
  // Open connections of those that died while there was no coordinator, by slot.
  std::map<policy::SlotIndex, uint32_t> lost;
};
// Knocks at all doors and waits until all have told what they hold, or `patience` is over. The rows of those that
// are dead are folded and freed. Only with the run directory's lock.
Greeted GreetSurvivors(const std::string& directory, scoreboard::Layout& layout,
                       absl::Duration patience);

// What the policy is to know: the scoreboard's words and the workers. The kept listeners are not among it.
policy::Legacy LegacyOf(const scoreboard::Layout& layout, absl::Span<const FormerWorker> workers);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_FORMER_WORKERS_H_
