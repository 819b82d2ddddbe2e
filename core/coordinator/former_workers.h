// FormerWorkers: the workers of a coordinator that has gone, as the next one goes on with them: what each says that it
// holds. Whoever is found (survivors.h) and cannot be gone on with is a stranger: told to leave, and waited for.
#ifndef CORE_COORDINATOR_FORMER_WORKERS_H_
#define CORE_COORDINATOR_FORMER_WORKERS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/coordinator/survivors.h"
#include "core/link/message.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

struct FormerWorker {
  Survivor process;
  policy::Legacy::Found found;
  std::optional<link::Hello> hello;
  bool greeted = false;  // it has said all; else it is stopped, starved or not in its loop yet
  Fd inbox;              // writing end
  Fd reports;            // that it writes into
  std::vector<Fd> steering;
  std::vector<Fd> listeners;
  std::map<policy::SlotIndex, std::vector<Fd>> held;  // of the slots that it stands in for
};

struct Greeted {
  std::vector<FormerWorker> workers;
  std::vector<Survivor> strangers;
  // Open connections of those that died while there was no coordinator, by slot.
  std::map<policy::SlotIndex, uint32_t> lost;
};
// Knocks at all doors and waits until all have told what they hold, or `patience` is over. The rows of those that
// are dead are folded and freed, and the programs of dead workers are ended. Only with the run directory's lock.
absl::StatusOr<Greeted> GreetSurvivors(const std::string& directory, scoreboard::Layout& layout,
                                       absl::Duration patience);
// Those in slots from `slots_max` on are strangers; what the others hold of such slots is dropped.
void SetApart(Greeted& greeted, uint32_t slots_max);
// They leave, at most by `patience`; then their rows are freed.
void SendAway(Greeted& greeted, scoreboard::Layout& layout, absl::Duration patience);

// What the policy is to know: the scoreboard's words and the workers. The kept listeners are not among it.
// `workers_given`: how many are wanted where the scoreboard's figure makes no sense.
policy::Legacy LegacyOf(const scoreboard::Layout& layout, absl::Span<const FormerWorker> workers,
                        uint32_t workers_given = 1);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_FORMER_WORKERS_H_
