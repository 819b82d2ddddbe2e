// When the start is over, and what has come of it.
//
// It ends when each wanted slot serves, has ended as it may, or has shown that it cannot: by kTriesMax quick
// failures in a row. Or when nothing has improved for --listen-timeout: no slot was tried for the first time, and
// there were never more of them serving at one time. Both counts only grow and are bounded, so the end comes.
// While no worker was ever READY the first failure ends the cluster (StartFailed), and nothing is said here.
// Refused: waiting for one instant at which all slots serve, which a slot that fails for ever puts off for ever.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/policy/supervisor_state.h"

namespace uc::policy {
namespace {

constexpr int kTriesMax = 3;
constexpr size_t kReasonsMax = 3;  // in one line
constexpr size_t kNamedMax = 8;    // slots with the same reason

std::string NameOf(const std::vector<SlotIndex>& slots) {
  if (slots.size() == 1) return absl::StrCat("slot ", slots[0]);
  const auto last = slots.begin() + static_cast<ptrdiff_t>(std::min(slots.size(), kNamedMax));
  return absl::StrCat(
      "slots ", absl::StrJoin(slots.begin(), last, ", "),
      slots.size() > kNamedMax ? absl::StrCat(" and ", slots.size() - kNamedMax, " others") : "");
}

// Its worker has ended and was allowed to.
bool EndedAsItMay(const Slot& slot) { return slot.stopped_by.has_value() && slot.failure.empty(); }

std::string ReasonOf(const Slot& slot) {
  if (!slot.failure.empty()) return slot.failure;
  return slot.incumbent.has_value() ? "not ready yet" : "not started yet";
}

}  // namespace

bool Supervisor::State::HasShown(const Slot& slot) const {
  return Serves(slot) || slot.stopped_by.has_value() ||
         slot.restarts.quick_deaths() >= std::min(kTriesMax, options.restarts.restarts_max);
}

void Supervisor::State::ReviewStart() {
  const auto serving = static_cast<uint32_t>(crew.Serving());
  if (!start.has_value()) {
    if (!incomplete || serving < wanted) return;
    incomplete = false;
    Say(Report::Level::kInfo, absl::StrCat("cluster is whole: ", Strength()));
    return;
  }
  size_t progress = serving;
  bool all_have_shown = true;
  for (const Slot& slot : crew.slots()) {
    if (!slot.wanted) continue;
    progress += slot.tried;
    all_have_shown = all_have_shown && HasShown(slot);
  }
  if (progress > start->progress) *start = {progress, now + options.listen_timeout};
  if (!ever_ready || (!all_have_shown && now < start->end_at)) return;
  start.reset();
  const std::string failures = FailuresText();
  incomplete = !failures.empty();
  actions.push_back(StartEnded{serving, wanted, failures});
}

std::string Supervisor::State::FailuresText() const {
  std::map<std::string, std::vector<SlotIndex>> failed;
  std::vector<std::string> reasons;  // in the order of the first slot of each
  for (const Slot& slot : crew.slots()) {
    if (!slot.wanted || Serves(slot) || EndedAsItMay(slot)) continue;
    const std::string reason = ReasonOf(slot);
    std::vector<SlotIndex>& slots = failed[reason];
    if (slots.empty()) reasons.push_back(reason);
    slots.push_back(slot.index);
  }
  std::vector<std::string> parts;
  for (const std::string& reason : reasons) {
    if (parts.size() == kReasonsMax) break;
    parts.push_back(absl::StrCat(NameOf(failed[reason]), ": ", reason));
  }
  if (reasons.size() > kReasonsMax) {
    parts.push_back(absl::StrCat("and ", reasons.size() - kReasonsMax, " other reasons"));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace uc::policy
