// ProgramGroup: the process group of a program whose launcher has gone. The program's first process goes with its
// launcher; what it has forked does not, and goes on serving.
//
// A number alone ends nobody: it must still be that group, by the start of its leader or, when the leader has gone,
// by what the launcher gave to all of it. The number is a worker's word (scoreboard::Report), so the signal is sent as
// the user that the program runs as: it reaches nobody that the program could not reach itself.
//
// What a program behind a worker has started, and has left its group, is its worker's to end (core/exec/offspring.h).
// Where the worker was killed those are found by their environment, if they have kept it: it names the cluster, the slot,
// the generation and, in NOTIFY_SOCKET, the worker's process.
#ifndef CORE_COORDINATOR_PROGRAM_GROUP_H_
#define CORE_COORDINATOR_PROGRAM_GROUP_H_

#include <cstdint>

#include "absl/time/time.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

// Somebody of it lives.
bool ProgramGroupLives(const scoreboard::Layout& layout, uint32_t row);

// SIGKILL to all of it, and to those that have left it, by whoever sees the row's launcher end this very moment: nobody has got its number meanwhile.
void EndProgramOf(const scoreboard::Layout& layout, uint32_t row);

// SIGKILL to all of it, if there is one, and to those that have left it. Call when the row's launcher has gone. True: somebody was there.
bool EndProgramGroup(const scoreboard::Layout& layout, uint32_t row);

// Until all whom EndProgramGroup has reached have ended; false: not all had by then.
bool AwaitProgramGroup(const scoreboard::Layout& layout, uint32_t row, absl::Duration patience);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_PROGRAM_GROUP_H_
