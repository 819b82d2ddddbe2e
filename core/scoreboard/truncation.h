// Truncation: a scoreboard's file that is cut short while processes have it mapped. The next look at what was cut off is
// a SIGBUS (mmap(2)), which would end the coordinator and every worker: whoever may write the file could end them all,
// and with --user that is every app. Instead the file gets its length back, filled with zeros, and the look is repeated.
// Where that is impossible the process goes on with zeros of its own.
//
// One handler for the process, made with the first mapping. A SIGBUS elsewhere goes to the handler of before, or ends
// the process as it would have.
#ifndef CORE_SCOREBOARD_TRUNCATION_H_
#define CORE_SCOREBOARD_TRUNCATION_H_

#include <cstddef>

namespace uc::scoreboard {

// `fd`: of the file that is mapped at `memory`, open for writing; -1: readers' mappings, which get zeros of their own.
// Beyond 64 mappings nothing is guarded.
void GuardMapping(void* memory, size_t bytes, int fd);
// Before it is unmapped.
void UnguardMapping(void* memory);

}  // namespace uc::scoreboard

#endif  // CORE_SCOREBOARD_TRUNCATION_H_
