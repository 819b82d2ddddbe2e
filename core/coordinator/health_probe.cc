#include "core/coordinator/health_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kSilence = absl::Milliseconds(15);  // a busy loop turns many times in that

}  // namespace

std::optional<CpuAccount> ReadCpuAccount(pid_t pid) {
  // Documentation/scheduler/sched-stats.rst: "1) time spent on the cpu 2) time spent waiting on a
  // runqueue 3) # of timeslices". Of the main thread: the one that has the ring.
  const Fd file(open(absl::StrCat("/proc/", pid, "/schedstat").c_str(), O_RDONLY | O_CLOEXEC));
  char text[128];
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text) - 1) : -1;
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  CpuAccount account;
  if (sscanf(text, "%" SCNd64 " %" SCNd64, &account.running_ns, &account.waiting_ns) != 2) {
    return std::nullopt;
  }
  return account;
}

policy::HealthObservation HealthProbe::Observe(absl::Time now, pid_t pid,
                                               const scoreboard::WorkerRow& row,
                                               const policy::HealthOptions& options,
                                               const std::function<bool()>& work_waits) {
  const int64_t heartbeat_ns = row.heartbeat_ns.load(std::memory_order_relaxed);
  policy::HealthObservation observation;
  if (heartbeat_ns == 0) return observation;  // not READY yet: listen_timeout watches it
  const absl::Duration age = now - MonotonicTime(heartbeat_ns);
  observation.since_heartbeat = age;
  if (heartbeat_ns != heartbeat_ns_) {
    heartbeat_ns_ = heartbeat_ns;
    before_.reset();
    waiting_since_.reset();
  }
  // Once suspect, suspect until it moves: its queue is empty now because a stand-in empties it.
  const bool suspected =
      waiting_since_.has_value() && now - *waiting_since_ >= options.suspect_after;
  const bool suspicious = options.suspect_after != absl::InfiniteDuration() && age >= kSilence &&
                          (suspected || work_waits());
  if (!suspicious) waiting_since_.reset();
  if (!suspicious && age < options.hang_timeout / 4) return observation;
  const std::optional<CpuAccount> account = ReadCpuAccount(pid);
  if (!account.has_value()) return observation;
  if (!before_.has_value()) {
    before_ = account;
    noticed_ = now;
    age_noticed_ = std::min(age, options.hang_timeout / 4);
  }
  if (suspicious && !waiting_since_.has_value()) waiting_since_ = now;
  // Counted from when the silence was noticed: after a pause of the whole machine every heartbeat looks
  // old at first sight, and nobody is to be judged by one look.
  observation.since_heartbeat = age_noticed_ + (now - noticed_);
  if (suspicious) observation.work_waiting = now - *waiting_since_;
  observation.cpu_time = absl::Nanoseconds(account->running_ns - before_->running_ns);
  observation.run_queue_delay = absl::Nanoseconds(account->waiting_ns - before_->waiting_ns);
  return observation;
}

}  // namespace uc::coordinator
