// Resident memory of a process and of all that it has started.
#ifndef CORE_COORDINATOR_PROCESS_MEMORY_H_
#define CORE_COORDINATOR_PROCESS_MEMORY_H_

#include <sys/types.h>

#include <cstdint>

namespace uc::coordinator {

// Looks at so many processes of one tree at most, nearest first: a fork bomb costs us no more.
inline constexpr int kTreeProcessesMax = 64;

// The sum of their resident sets in bytes; pages that they share count for each. 0: it has gone.
uint64_t ResidentBytes(pid_t pid);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_PROCESS_MEMORY_H_
