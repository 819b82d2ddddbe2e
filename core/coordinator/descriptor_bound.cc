#include "core/coordinator/descriptor_bound.h"

#include <sys/resource.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::coordinator {
namespace {

// Standard streams, control, scoreboard, steering, the reserve for replies, a birth under way, /proc reads.
constexpr rlim_t kReserve = 32;

rlim_t Limit() {
  rlimit limit;
  UC_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit.rlim_cur;
}

// Of a worker: its link, pidfd, inbox and, if captured, two FIFOs.
rlim_t OfAWorker(const CoordinatorOptions& options) {
  return options.scribe_arguments.empty() ? 3 : 5;
}

// What is needed whatever the number of slots: also of the successors of a roll.
rlim_t OfTheCluster(const CoordinatorOptions& options) {
  return kReserve + options.supervisor.roll_width * OfAWorker(options);
}

}  // namespace

absl::Status CheckDescriptors(const CoordinatorOptions& options) {
  // A slot costs the coordinator its listeners besides.
  const rlim_t needed = OfTheCluster(options) + options.supervisor.workers *
                                                    (options.addresses.size() + OfAWorker(options));
  if (Limit() >= needed) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("too few file descriptors: ", options.supervisor.workers, " workers need ",
                   needed, " in the coordinator, the limit is ", Limit(),
                   "; raise it (ulimit -n, LimitNOFILE=) or take fewer workers"));
}

policy::WorkersBound DescriptorBound(const CoordinatorOptions& options, size_t addresses) {
  const rlim_t limit = Limit();
  const rlim_t free = limit - std::min(limit, OfTheCluster(options));
  const rlim_t each = addresses + OfAWorker(options);
  return {static_cast<uint32_t>(std::min<rlim_t>(free / each, policy::kWorkersMax)),
          absl::StrCat("each takes ", each, " file descriptors of the coordinator, ",
                       OfTheCluster(options), " are kept for other things, and the limit is ",
                       limit, "; raise it (ulimit -n, LimitNOFILE=) and start the cluster again")};
}

}  // namespace uc::coordinator
