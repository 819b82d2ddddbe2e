// Contest: all servers alive at once on one core, one client on another visits them in rotation.
//
// A window is a few milliseconds of one server. What disturbs the machine for longer than a rotation
// disturbs all alike and falls out of the ratio; what disturbs a window falls out by trimming.
#ifndef BENCHMARKS_PAIRED_CONTEST_H_
#define BENCHMARKS_PAIRED_CONTEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/paired/estimate.h"
#include "benchmarks/paired/server.h"
#include "benchmarks/paired/work.h"

namespace uc::paired {

struct ContestOptions {
  int rounds = 300;
  absl::Duration window = absl::Milliseconds(5);
};

struct Score {
  std::string server;
  int64_t requests = 0;
  Estimate nanos;  // CPU time of all its processes, per request
  Estimate ratio;  // to the first server's, round by round
};

// One score per server, in their order.
absl::StatusOr<std::vector<Score>> Compete(const Work& work, std::vector<Server>& servers,
                                           const ContestOptions& options);

}  // namespace uc::paired

#endif  // BENCHMARKS_PAIRED_CONTEST_H_
