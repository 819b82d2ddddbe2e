// Offspring: all that descends from the program of this process, by parenthood: what has left the program's process
// group, and whose parent has ended (a daemon), as well. This process is their subreaper (prctl(2)): orphans below it
// become its children, and its zombies.
//
// Only for a process whose children are all its program's. Refused: a cgroup, which few may make, and the environment
// as a mark, which anybody may copy.
#ifndef CORE_EXEC_OFFSPRING_H_
#define CORE_EXEC_OFFSPRING_H_

#include <sys/types.h>

#include <functional>

#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc::exec {

// From now on. Readable when a child has ended: a signalfd for SIGCHLD, to be emptied by ReapOffspring().
absl::StatusOr<Fd> WatchOffspring();

// Takes the ends of all children that have ended. `ended` is called for each before its number is free for others
// (waitpid(2) follows), and then with its wait status by `reaped`. False: nobody is left.
struct Reaper {
  std::function<void(pid_t)> ended;
  std::function<void(pid_t, int status)> reaped;
};
bool ReapOffspring(const Fd& watch, const Reaper& reaper);

// SIGKILL to all that lives below this process. What it has started meanwhile is left: call it again when somebody
// ends, until nobody is left.
void KillOffspring();

}  // namespace uc::exec

#endif  // CORE_EXEC_OFFSPRING_H_
