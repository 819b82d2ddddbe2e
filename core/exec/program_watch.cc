#include "core/exec/program_watch.h"

#include <atomic>

namespace uc::exec {
namespace {

// Between two looks at the program while connections come: silence is to be noticed before clients do.
constexpr absl::Duration kBusyLook = absl::Milliseconds(25);
// Without connections for so long it is looked at only now and then.
constexpr absl::Duration kIdleAfter = absl::Seconds(1);

}  // namespace

bool ProgramWatch::idle(absl::Time now) const { return now - traffic_at_ >= kIdleAfter; }

void ProgramWatch::Stir(absl::Time now) {
  traffic_at_ = now;
  look_at_ = now;
}

void ProgramWatch::BeginServing(absl::Time now) {
  look_at_ = absl::InfinitePast();
  Beat(now);
}

void ProgramWatch::Look(absl::Time now, const Seen& seen) {
  Count(seen.life);
  if (seen.turns_known) {
    queue_.Look(seen.waiting, counted_.turns + counted_.accepts);
  } else {
    queue_.Look(seen.waiting);
  }
  row_.work_waits.store(queue_.silent(), std::memory_order_relaxed);
  // Before READY listen_timeout watches it.
  if (seen.ready && !queue_.silent()) Beat(now);
  if (seen.waiting > 0 || counted_.accepts != accepted_at_look_) traffic_at_ = now;
  if (load_.has_value() && seen.waiting == 0) load_->SeenEmpty();
  if (load_.has_value() && now >= forget_at_) {
    load_->ForgetPending();
    forget_at_ = now + period_;
  }
  accepted_at_look_ = counted_.accepts;
  look_at_ = now + (idle(now) ? period_ : kBusyLook);
}

void ProgramWatch::Count(const Life& life) {
  // LifePage: they only grow, and by bounded steps.
  if (load_.has_value()) {
    load_->Counted(life.accepts - counted_.accepts, life.closes - counted_.closes);
  }
  counted_ = life;
  row_.counters.accepted.store(life.accepts, std::memory_order_relaxed);
  row_.counters.closed.store(life.closes, std::memory_order_relaxed);
}

void ProgramWatch::Beat(absl::Time now) {
  row_.heartbeat_ns.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
}

}  // namespace uc::exec
