#include "core/coordinator/health_probe.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/small_file.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kSilence = absl::Milliseconds(15);  // a busy loop turns many times in that

}  // namespace

std::optional<CpuAccount> ReadCpuAccount(pid_t pid) {
  // Documentation/scheduler/sched-stats.rst: "1) time spent on the cpu 2) time spent waiting on a
  // runqueue 3) # of timeslices". Of the main thread: the one that has the ring.
  const std::string folder = absl::StrCat("/proc/", pid);
  const std::string times = ReadSmallFile(folder + "/schedstat");
  const std::string stat = ReadSmallFile(folder + "/stat");
  CpuAccount account;
  if (sscanf(times.c_str(), "%" SCNd64 " %" SCNd64, &account.running_ns, &account.waiting_ns) !=
      2) {
    return std::nullopt;
  }
  // proc_pid_stat(5): the name in parentheses may hold anything; the state is behind it.
  const size_t name_end = stat.rfind(')');
  account.runnable = name_end != std::string::npos && stat.substr(name_end, 3) == ") R";
  return account;
}

// A wait that is not over is in no account of the kernel (sched_info_arrive() in kernel/sched/stats.h): who was
// runnable all the time and did not run, waited.
absl::Duration HealthProbe::WaitedForCpu(absl::Time now, const CpuAccount& account) const {
  const absl::Duration told = absl::Nanoseconds(account.waiting_ns - before_->waiting_ns);
  if (!runnable_) return told;
  const absl::Duration ran = absl::Nanoseconds(account.running_ns - before_->running_ns);
  return std::max(told, now - noticed_ - ran);
}

policy::HealthObservation HealthProbe::Observe(absl::Time now, pid_t pid,
                                               const scoreboard::Report& report,
                                               const policy::HealthOptions& options,
                                               const std::function<bool()>& work_waits) {
  const int64_t heartbeat_ns = report.heartbeat_ns.load(std::memory_order_relaxed);
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
  const std::optional<CpuAccount> account = read_(pid);
  if (!account.has_value()) return observation;
  if (!before_.has_value()) {
    before_ = account;
    noticed_ = now;
    runnable_ = true;
    age_noticed_ = std::min(age, options.hang_timeout / 4);
  }
  runnable_ = runnable_ && account->runnable;
  if (suspicious && !waiting_since_.has_value()) waiting_since_ = now;
  // Counted from when the silence was noticed: after a pause of the whole machine every heartbeat looks
  // old at first sight, and nobody is to be judged by one look.
  observation.since_heartbeat = age_noticed_ + (now - noticed_);
  if (suspicious) observation.work_waiting = now - *waiting_since_;
  observation.cpu_time = absl::Nanoseconds(account->running_ns - before_->running_ns);
  observation.run_queue_delay = WaitedForCpu(now, *account);
  return observation;
}

}  // namespace uc::coordinator
