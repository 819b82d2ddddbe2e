// The rules about the end of a start: it comes, in time, once, and says what is true.
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/sim/invariants.h"

namespace uc::sim {

std::string StartEndsOnceAndIsCounted(const Moment& moment, const policy::Action& action) {
  const auto* const ended = std::get_if<policy::StartEnded>(&action);
  if (ended == nullptr) return "";
  if (moment.chronicle.start_tells > 0) return "it has ended already";
  if (!moment.chronicle.ever_ready) return "nobody was ever READY";
  int serving = 0, all = 0;
  for (const policy::Slot& slot : moment.view.slots) {
    if (!slot.wanted) continue;
    ++all;
    serving += moment.chronicle.Serves(slot.index);
  }
  if (ended->wanted != static_cast<uint32_t>(all)) {
    return absl::StrCat(ended->wanted, " workers are said to be wanted, it is ", all);
  }
  // A worker that is told to leave in the same step, or that soaks, may count either way.
  if (static_cast<int>(ended->serving) > serving) {
    return absl::StrCat(ended->serving, " are said to serve, ", serving, " do");
  }
  if (ended->failures.empty() && serving < all) {
    for (const policy::Slot& slot : moment.view.slots) {
      if (slot.wanted && !moment.chronicle.Serves(slot.index) && !slot.stopped_by.has_value()) {
        return absl::StrCat("slot ", slot.index, " does not serve, and no failure is named");
      }
    }
  }
  return "";
}

// Nobody has to wake the supervisor at the very moment.
std::string StartEndsInTime(const Moment& moment) {
  if (moment.view.stopping || moment.chronicle.finished || !moment.chronicle.ever_ready ||
      moment.chronicle.start_tells > 0) {
    return "";
  }
  const absl::Duration since = moment.now - moment.chronicle.start_progress_at;
  if (since <= moment.options.listen_timeout + absl::Milliseconds(10)) return "";
  return absl::StrCat("nothing has improved for ", absl::FormatDuration(since),
                      ", and the start has not ended");
}

}  // namespace uc::sim
