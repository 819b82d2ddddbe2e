// RaiseDescriptorLimit: the soft limit of open files up to the hard one, which needs no privilege.
#ifndef CORE_BASE_DESCRIPTOR_LIMIT_H_
#define CORE_BASE_DESCRIPTOR_LIMIT_H_

#include <cstdint>

namespace uc {

// Returns what is in force afterwards. Children inherit it.
uint64_t RaiseDescriptorLimit();
// The soft limit that is in force.
uint64_t DescriptorLimit();

}  // namespace uc

#endif  // CORE_BASE_DESCRIPTOR_LIMIT_H_
