// CorePin: slot k's core is the k-th of those that this process may run on, counted round and round.
#ifndef CORE_BASE_CORE_PIN_H_
#define CORE_BASE_CORE_PIN_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace uc {

// Their numbers, ascending; never empty.
std::vector<int> AllowedCores();
int CoreOfSlot(const std::vector<int>& allowed, uint32_t slot);

// This thread, and what it starts.
absl::Status PinToCoreOf(uint32_t slot);

}  // namespace uc

#endif  // CORE_BASE_CORE_PIN_H_
