// DescriptorBound: how many workers RLIMIT_NOFILE of the coordinator allows.
#ifndef CORE_COORDINATOR_DESCRIPTOR_BOUND_H_
#define CORE_COORDINATOR_DESCRIPTOR_BOUND_H_

#include <cstddef>

#include "absl/status/status.h"
#include "core/coordinator/coordinator_options.h"
#include "core/policy/event.h"

namespace uc::coordinator {

// FailedPrecondition: the limit of descriptors is too low for so many workers.
absl::Status CheckDescriptors(const CoordinatorOptions& options);
// `addresses`: that the cluster listens on now.
policy::WorkersBound DescriptorBound(const CoordinatorOptions& options, size_t addresses);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_DESCRIPTOR_BOUND_H_
