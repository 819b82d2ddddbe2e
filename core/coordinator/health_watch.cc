#include "core/coordinator/health_watch.h"

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace uc::coordinator {
namespace {

// A silent worker is to be noticed before its clients do: at 50 ms of waiting work (HealthOptions) and 25 ms for a
// look to come by, well below the 200 ms that a request may take.
constexpr absl::Duration kBusyPeriod = absl::Milliseconds(25);
// While somebody is silent and work waits for it.
constexpr absl::Duration kSilencePeriod = absl::Milliseconds(10);
constexpr absl::Duration kPeriodPerWorker = absl::Microseconds(400);
constexpr absl::Duration kIdlePeriodMax = absl::Seconds(1);
// The steering's counts can be too low for a while, after a worker was killed in mid-step: all queues are asked now and
// then, whatever they say.
constexpr absl::Duration kAskAllPeriod = absl::Seconds(1);

// Whose CPU time tells stuck from starved: a launcher has none to speak of, its program does.
pid_t JudgedProcess(HealthWatch::Workers workers, const WorkerProcess& process,
                    const scoreboard::Report& report) {
  if (workers == HealthWatch::Workers::kNative) return process.pid;
  const pid_t accepting = report.accepting_pid.load(std::memory_order_relaxed);
  const pid_t program = report.program_pid.load(std::memory_order_relaxed);
  return accepting > 0 ? accepting : program > 0 ? program : process.pid;
}

// Where connections wait for accept. One system call for all queues, and none where the steering counts nothing.
class WaitingWork {
 public:
  WaitingWork(ListenerKeep& listeners, const net::Steering* steering)
      : listeners_(listeners), steering_(steering) {}

  bool At(policy::SlotIndex slot) {
    if (steering_ != nullptr && slot < net::kSteeredSlotsMax && steering_->Read(slot).pend == 0) {
      return false;
    }
    if (!slots_.has_value()) slots_ = listeners_.SlotsWithWork();
    return std::binary_search(slots_->begin(), slots_->end(), slot);
  }

 private:
  ListenerKeep& listeners_;
  const net::Steering* const steering_;
  std::optional<std::vector<policy::SlotIndex>> slots_;
};

}  // namespace

absl::Duration HealthWatch::BusyPeriod(size_t workers) const {
  return std::max(kBusyPeriod, kPeriodPerWorker * workers);
}

// Nobody connects and nobody asks: only a hang can be found.
absl::Duration HealthWatch::IdlePeriod() const {
  return std::clamp(options_.hang_timeout / 8, absl::Milliseconds(20), kIdlePeriodMax);
}

void HealthWatch::Stir(absl::Time now) {
  idle_ = false;
  due_ = std::min(due_, now + kBusyPeriod);
}

std::vector<policy::HealthObserved> HealthWatch::Look(absl::Time now, Processes& processes,
                                                      const scoreboard::Layout& layout,
                                                      ListenerKeep& listeners,
                                                      const net::Steering* steering) {
  if (now >= ask_all_at_) {
    steering = nullptr;
    ask_all_at_ = now + kAskAllPeriod;
  }
  WaitingWork waiting(listeners, steering);
  std::vector<policy::HealthObserved> observed;
  uint64_t traffic = 0;
  bool silence = false;
  for (auto& [generation, process] : processes) {
    const scoreboard::Report& report = layout.reports.rows[process.row];
    traffic += report.counters.accepted.load(std::memory_order_relaxed) +
               report.counters.requests.load(std::memory_order_relaxed);
    const auto work_waits = [&] {
      return workers_ == Workers::kProgram ? report.work_waits.load(std::memory_order_relaxed) != 0
                                           : waiting.At(process.id.slot);
    };
    const policy::HealthObservation observation = process.health.Observe(
        now, JudgedProcess(workers_, process, report), report, options_, work_waits);
    silence |= process.health.suspicious();
    const policy::Health health = policy::Judge(observation, options_);
    const bool changed = health != std::exchange(process.last_health, health);
    if (changed || health != policy::Health::kWell) observed.push_back({process.id, health});
  }
  const bool traffic_seen = std::exchange(traffic_seen_, traffic) != traffic;
  idle_ = !silence && !traffic_seen;
  due_ = now + (idle_     ? IdlePeriod()
                : silence ? std::max(kSilencePeriod, kPeriodPerWorker * processes.size())
                          : BusyPeriod(processes.size()));
  return observed;
}

}  // namespace uc::coordinator
