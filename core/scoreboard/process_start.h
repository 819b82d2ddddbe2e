// ProcessStart: when a process started. Its number is given to another process once it has gone; number and start
// together name one process only, as the scoreboard's rows do.
#ifndef CORE_SCOREBOARD_PROCESS_START_H_
#define CORE_SCOREBOARD_PROCESS_START_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"

namespace uc::scoreboard {

struct ProcessStat {
  char state = 0;  // 'Z': a zombie
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  uint64_t start = 0;  // clock ticks since boot
};
// proc_pid_stat(5). nullopt: there is no such process.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

// A zombie's, too. 0: there is no such process.
uint64_t ProcessStart(pid_t pid);

// Of all processes that /proc shows, zombies too, one after the other, until `visit` returns false.
void ForEachProcess(absl::FunctionRef<bool(pid_t, const ProcessStat&)> visit);

}  // namespace uc::scoreboard

#endif  // CORE_SCOREBOARD_PROCESS_START_H_
