#include "core/coordinator/ring_allotment.h"

#include <poll.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/policy/crew.h"
#include "core/ring/ring_size.h"

namespace uc::coordinator {
namespace {

// Rings beyond those of the slots, where there is room: of successors, and of workers that have just ended, which the
// kernel gives back some milliseconds later.
constexpr uint32_t kSpareRings = 16;
// For what a cluster that has just ended gives back.
constexpr absl::Duration kReturnPatience = absl::Milliseconds(500);
constexpr int kLookMs = 10;
constexpr char kCure[] = "raise the limit (ulimit -l, LimitMEMLOCK=)";

std::string Shown(uint64_t bytes) {
  return bytes < 1 << 20 ? absl::StrCat(bytes / 1024, " KB")
                         : absl::StrFormat("%.1f MB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

uint64_t SlotsThatFit(uint64_t rings, uint64_t roll_width) {
  return rings - std::min((rings + 1) / 2, roll_width);
}

absl::Status CheckLockedMemory(const policy::SupervisorOptions& options) {
  const std::optional<ring::LockedMemory> memory = ring::LockedMemory::Begin();
  if (!memory.has_value()) return absl::OkStatus();
  const uint64_t each = ring::LockedBytes(ring::kRingEntriesLeast);
  const uint64_t successors = std::min(options.workers, options.roll_width);
  const uint64_t needed = (options.workers + successors) * each;
  const absl::Time until = MonotonicNow() + kReturnPatience;
  uint64_t free = memory->Free();
  while (free < needed && MonotonicNow() < until) {
    poll(nullptr, 0, kLookMs);
    free = memory->Free();
  }
  if (needed <= free) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "too little memory that this user may lock: the rings (io_uring) of ", options.workers,
      options.workers == 1 ? " worker" : " workers", " and, in a roll, of ", successors,
      successors == 1 ? " successor" : " successors", " need ", Shown(needed), ", free are ",
      Shown(free), " of RLIMIT_MEMLOCK's ", Shown(memory->limit()), ", enough for ",
      SlotsThatFit(free / each, options.roll_width), "; ", kCure, ", or take fewer workers"));
}

void RingAllotment::Begin() {
  if (begun_ || workers_ == Workers::kProgram) return;
  begun_ = true;
  memory_ = ring::LockedMemory::Begin();
}

uint64_t RingAllotment::Free(absl::Span<const policy::Slot> slots,
                             const Processes& processes) const {
  uint64_t promised = 0;
  for (const policy::Slot& slot : slots) {
    for (const policy::Seat seat : policy::kSeats) {
      const std::optional<policy::Worker>& worker = slot.*seat;
      if (!worker.has_value() || worker->state != policy::WorkerState::kStarting) continue;
      const auto process = processes.find(worker->id.generation);
      if (process != processes.end()) promised += ring::LockedBytes(process->second.ring_entries);
    }
  }
  const uint64_t free = memory_->Free();
  return free - std::min(free, promised);
}

uint32_t RingAllotment::EntriesFor(uint32_t wanted, absl::Span<const policy::Slot> slots,
                                   const Processes& processes) {
  Begin();
  if (!memory_.has_value()) return ring::kRingEntriesMost;
  if (decided_for_ == wanted) return entries_;
  decided_for_ = wanted;
  const uint64_t free = Free(slots, processes);
  uint64_t all = free;
  for (const auto& [generation, process] : processes) {
    all += ring::LockedBytes(process.ring_entries);
  }
  // Of one size for all; less where workers that are there have larger ones.
  const auto living = static_cast<uint32_t>(processes.size());
  const uint32_t to_come = std::max(1u, wanted - std::min(wanted, living));
  const uint32_t entries = std::min(
      ring::EntriesThatFit(all, std::max(wanted, living) + std::max(kSpareRings, roll_width_)),
      ring::EntriesThatFit(free, to_come + std::min(wanted, roll_width_)));
  if (entries != ring::kRingEntriesMost && entries != entries_) {
    LogInfo(absl::StrCat("rings of ", entries, " entries instead of ", ring::kRingEntriesMost, ": ",
                         wanted, " workers share ", Shown(all),
                         " of locked memory; for larger ones ", kCure));
  }
  entries_ = entries;
  return entries_;
}

std::optional<policy::WorkersBound> RingAllotment::Bound(absl::Span<const policy::Slot> slots,
                                                         const Processes& processes) {
  Begin();
  if (!memory_.has_value()) return std::nullopt;
  const uint64_t each = ring::LockedBytes(ring::kRingEntriesLeast);
  const uint64_t free = Free(slots, processes);
  const uint64_t rings = processes.size() + std::min<uint64_t>(free / each, policy::kWorkersMax);
  return policy::WorkersBound{
      static_cast<uint32_t>(SlotsThatFit(rings, roll_width_)),
      absl::StrCat("the ring (io_uring) of each, and of the successors of a roll, takes at least ",
                   Shown(each), " of the memory that this user may lock, and free are ",
                   Shown(free), " of RLIMIT_MEMLOCK's ", Shown(memory_->limit()), "; ", kCure,
                   " and start the cluster again")};
}

}  // namespace uc::coordinator
