#include "core/exec/program_drain.h"

#include <algorithm>

namespace uc::exec {
namespace {

constexpr absl::Duration kDrainLook = absl::Milliseconds(5);
// When others go on, idle connections get the chance of one more request.
constexpr absl::Duration kIdleGrace = absl::Seconds(1);

}  // namespace

bool ProgramDrain::Begin(link::DrainKind kind, absl::Duration within, absl::Time now) {
  if (kind == link::DrainKind::kPrompt) idle_until_ = absl::InfinitePast();
  if (begun()) return false;
  state_ = State::kWaits;
  quiet_until_ = now + within / 2;
  // Clients that are about to ask hear `Connection: close`, and lose nothing.
  if (kind == link::DrainKind::kHandOver) idle_until_ = now + std::min(kIdleGrace, within / 4);
  return true;
}

absl::Time ProgramDrain::due(absl::Time now) const {
  if (state_ != State::kWaits) return absl::InfiniteFuture();
  return std::min(quiet_until_, std::max(idle_until_, now + kDrainLook));
}

bool ProgramDrain::Over(absl::Time now, const std::optional<ListenDoor::Tally>& open) const {
  const bool quiet = open.has_value() && open->busy == 0;
  return now >= quiet_until_ || (quiet && (open->open == 0 || now >= idle_until_));
}

}  // namespace uc::exec
