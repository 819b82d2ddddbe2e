#include "core/base/core_pin.h"

#include <errno.h>
#include <sched.h>

#include "absl/strings/str_cat.h"

namespace uc {
namespace {

constexpr int kCoresMax = 1 << 13;  // the kernel's own limit (NR_CPUS) is 8192

}  // namespace

std::vector<int> AllowedCores() {
  std::vector<int> cores;
  cpu_set_t* set = CPU_ALLOC(kCoresMax);
  const size_t size = CPU_ALLOC_SIZE(kCoresMax);
  if (sched_getaffinity(0, size, set) == 0) {
    for (int core = 0; core < kCoresMax; ++core) {
      if (CPU_ISSET_S(core, size, set)) cores.push_back(core);
    }
  }
  CPU_FREE(set);
  if (cores.empty()) cores.push_back(0);
  return cores;
}

int CoreOfSlot(const std::vector<int>& allowed, uint32_t slot) {
  return allowed[slot % allowed.size()];
}

absl::Status PinToCoreOf(uint32_t slot) {
  const int core = CoreOfSlot(AllowedCores(), slot);
  cpu_set_t* set = CPU_ALLOC(kCoresMax);
  const size_t size = CPU_ALLOC_SIZE(kCoresMax);
  CPU_ZERO_S(size, set);
  CPU_SET_S(core, size, set);
  const int result = sched_setaffinity(0, size, set);
  const int error = errno;
  CPU_FREE(set);
  if (result == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(error, absl::StrCat("--cpu-affinity: not pinned to core ", core));
}

}  // namespace uc
