#include "core/coordinator/health_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace uc::coordinator {

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
                                               absl::Duration hang_timeout) {
  const int64_t heartbeat_ns = row.heartbeat_ns.load(std::memory_order_relaxed);
  policy::HealthObservation observation;
  if (heartbeat_ns == 0) return observation;  // not READY yet: listen_timeout watches it
  observation.since_heartbeat = now - MonotonicTime(heartbeat_ns);
  if (heartbeat_ns != heartbeat_ns_) {
    heartbeat_ns_ = heartbeat_ns;
    before_.reset();
  }
  if (observation.since_heartbeat < hang_timeout / 4) return observation;
  const std::optional<CpuAccount> account = ReadCpuAccount(pid);
  if (!account.has_value()) return observation;
  if (!before_.has_value()) {
    before_ = account;
    noticed_ = now;
  }
  // Counted from when the silence was noticed: after a pause of the whole machine every heartbeat looks
  // old at first sight, and nobody is to be judged by one look.
  observation.since_heartbeat = hang_timeout / 4 + (now - noticed_);
  observation.cpu_time = absl::Nanoseconds(account->running_ns - before_->running_ns);
  observation.run_queue_delay = absl::Nanoseconds(account->waiting_ns - before_->waiting_ns);
  return observation;
}

}  // namespace uc::coordinator
