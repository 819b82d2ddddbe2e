// Survivors: who is left of a cluster whose coordinator has gone, found by the doors that workers keep in the run
// directory and by the scoreboard's rows. Either alone is enough to find one: a door is kept from before its worker's
// process exists, and so is its row.
//
// What a row says is believed only where the kernel agrees: who keeps the door (Channel::keeper), or the start of the
// process. Workers cannot write rows (layout.h). No signal goes to a number, only to descriptors of processes that are
// known for certain.
#ifndef CORE_COORDINATOR_SURVIVORS_H_
#define CORE_COORDINATOR_SURVIVORS_H_

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/policy/event.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

std::string DoorPath(const std::string& directory, policy::Generation generation);
// The doors that are kept, in order. Disturbs nobody. Without a folder of doors there are none; one that cannot be
// read (open descriptors used up, no right to) is an error: workers may live behind it.
absl::StatusOr<std::vector<policy::Generation>> KeptDoors(const std::string& directory);
// The others: their workers ended while there was no coordinator. Only with the run directory's lock. A folder that
// cannot be read stays as it is.
void RemoveDeadDoors(const std::string& directory);

// The process has a listening socket with a door's name open: how kernels before 6.5 tell a keeper from whoever has got
// its number since.
bool HoldsDoor(pid_t pid, policy::Generation generation);

// Somebody who keeps a door, or whom a row names without doubt.
struct Survivor {
  policy::Generation generation = 0;
  pid_t pid = 0;                         // 0: not known (yet)
  Fd pidfd;                              // of `pid`, for certain
  std::optional<uint32_t> row;           // the one that the scoreboard has for this generation
  bool door = false;                     // somebody keeps it
  std::optional<link::Channel> channel;  // empty: there is no door, or it did not open
};

// Everybody who is left. Knocks: what lives is linked to us from then on. `layout` may be nullptr: there are doors
// only. Only with the run directory's lock. Errors as KeptDoors().
absl::StatusOr<std::vector<Survivor>> FindSurvivors(const std::string& directory,
                                                    const scoreboard::Layout* layout);
// Who has sent something through its channel is known by it.
void IdentifySender(Survivor& survivor);
// How many are left, without a knock. `layout` may be nullptr. Errors as KeptDoors().
absl::StatusOr<size_t> CountSurvivors(const std::string& directory,
                                      const scoreboard::Layout* layout);
// How many programs are left whose worker has gone.
size_t CountPrograms(const scoreboard::Layout& layout);

// Asks each to leave, by SIGTERM or, who is not known, over its link; and kills those that have not by then.
struct Dismissal {
  int killed = 0;
  int unknown = 0;  // still there and never known: not signalled
};
Dismissal DismissAll(absl::Span<Survivor> survivors, absl::Duration patience);
// The programs of workers that are gone; waits for their end. Returns how many rows had one.
int EndPrograms(const scoreboard::Layout& layout);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_SURVIVORS_H_
