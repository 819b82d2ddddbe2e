#include "core/coordinator/recycle_watch.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/coordinator/process_memory.h"
#include "core/policy/crew.h"

namespace uc::coordinator {
namespace {

constexpr size_t kLooksMax = 64;  // at one time

std::string Megabytes(uint64_t bytes) {
  return bytes % (1 << 20) == 0 || bytes > (uint64_t{100} << 20) ? absl::StrCat(bytes >> 20, "M")
                                                                 : absl::StrCat(bytes >> 10, "K");
}

}  // namespace

std::vector<policy::RecycleDue> RecycleWatch::Look(absl::Time now,
                                                   absl::Span<const policy::Slot> slots,
                                                   const Processes& processes,
                                                   const scoreboard::Layout& layout) {
  due_ = now + kPeriod;
  std::vector<policy::RecycleDue> due;
  const size_t looks = std::min(kLooksMax, slots.size());
  for (size_t look = 0; look < looks; ++look) {
    const policy::Slot& slot = slots[next_++ % slots.size()];
    if (!slot.wanted || !policy::Serves(slot)) continue;
    const auto process = processes.find(slot.incumbent->id.generation);
    if (process == processes.end()) continue;
    std::string reason = Reason(process->second, layout);
    if (!reason.empty()) due.push_back({slot.incumbent->id, std::move(reason)});
  }
  return due;
}

std::string RecycleWatch::Reason(const WorkerProcess& process,
                                 const scoreboard::Layout& layout) const {
  if (options_.requests_max > 0) {
    const uint64_t requests =
        layout.reports.rows[process.row].counters.requests.load(std::memory_order_relaxed);
    if (requests >= options_.requests_max) {
      return absl::StrCat(requests, " requests, --max-requests=", options_.requests_max);
    }
  }
  if (options_.memory_max > 0) {
    const uint64_t bytes = ResidentBytes(process.pid);
    if (bytes > options_.memory_max) {
      return absl::StrCat(Megabytes(bytes),
                          " of memory, --max-memory-restart=", Megabytes(options_.memory_max));
    }
  }
  return "";
}

}  // namespace uc::coordinator
