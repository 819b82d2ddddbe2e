// RecycleWatch: which workers have had their day? Looks at /proc and the scoreboard; what is done about it is the
// Supervisor's.
//
// Bounded: about once a second, and a share of the workers each time when there are many.
#ifndef CORE_COORDINATOR_RECYCLE_WATCH_H_
#define CORE_COORDINATOR_RECYCLE_WATCH_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "core/coordinator/publish.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {

struct RecycleOptions {
  uint64_t memory_max = 0;    // bytes; 0: no limit
  uint64_t requests_max = 0;  // 0: no limit
};

class RecycleWatch {
 public:
  static constexpr absl::Duration kPeriod = absl::Seconds(1);

  explicit RecycleWatch(const RecycleOptions& options) : options_(options) {}

  // InfiniteFuture: there is no limit.
  absl::Time due() const { return due_; }
  void Begin(absl::Time now) {
    if (options_.memory_max > 0 || options_.requests_max > 0) due_ = now + kPeriod;
  }
  // Only of workers that serve.
  std::vector<policy::RecycleDue> Look(absl::Time now, absl::Span<const policy::Slot> slots,
                                       const Processes& processes,
                                       const scoreboard::Layout& layout);

 private:
  std::string Reason(const WorkerProcess& process, const scoreboard::Layout& layout) const;

  const RecycleOptions options_;
  absl::Time due_ = absl::InfiniteFuture();
  size_t next_ = 0;  // of the slots: where the next look begins
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_RECYCLE_WATCH_H_
