// UsableCores: how many cores this process may really use, in a container too.
#ifndef CORE_BASE_USABLE_CORES_H_
#define CORE_BASE_USABLE_CORES_H_

#include <string>

namespace uc {

// max(1, min(CPU affinity, ceil(quota / period))) with the smallest quota on the way up this process's
// cgroups: cpu.max (v2) or cpu.cfs_quota_us (v1). `root` stands before /proc and /sys, for tests.
int UsableCores(const std::string& root = "");

}  // namespace uc

#endif  // CORE_BASE_USABLE_CORES_H_
