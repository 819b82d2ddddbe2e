// The steering program's way into the kernel, and the proof that a descriptor is one of its parts.
#ifndef CORE_NET_STEERING_PROGRAM_H_
#define CORE_NET_STEERING_PROGRAM_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/net/steering.h"

namespace uc::net {

struct SteeringProgram {
  Fd sockets;  // a REUSEPORT_SOCKARRAY: slot -> listener
  Fd program;
};

struct SteeringPrograms {
  Fd state;  // the mmapable map of one SteeringState
  std::vector<SteeringProgram> addresses;
};

// Errors as Steering::Load.
absl::StatusOr<SteeringPrograms> LoadSteeringPrograms(Balance balance, size_t addresses);

// FailedPrecondition: they are not what LoadSteeringPrograms made for this balance, or do not belong together.
// Needs no capability.
absl::Status CheckStateMap(const Fd& state);
absl::Status CheckProgram(const Fd& state, const SteeringProgram& program, Balance balance);

}  // namespace uc::net

#endif  // CORE_NET_STEERING_PROGRAM_H_
