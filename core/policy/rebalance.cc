#include "core/policy/rebalance.h"

#include <algorithm>
#include <tuple>

namespace uc::policy {
namespace {

// Heaviest first; of equals the one that was born first.
bool Heavier(const Load& a, const Load& b) {
  return std::tie(b.connections, a.worker.generation, a.worker.slot) <
         std::tie(a.connections, b.worker.generation, b.worker.slot);
}

uint64_t Total(absl::Span<const Load> loads) {
  uint64_t total = 0;
  for (const Load& load : loads) total += load.connections;
  return total;
}

bool Worthwhile(uint64_t spread, uint64_t total, uint64_t workers) {
  return spread > 1 && spread * workers * kWorthwhileShare > total;
}

}  // namespace

std::vector<Gift> PlanRebalance(absl::Span<const Load> loads) {
  if (loads.size() < 2) return {};
  std::vector<Load> sorted(loads.begin(), loads.end());
  std::sort(sorted.begin(), sorted.end(), Heavier);
  const uint64_t total = Total(loads);
  const uint64_t spread = sorted.front().connections - sorted.back().connections;
  if (!Worthwhile(spread, total, sorted.size())) return {};

  const uint64_t share = total / sorted.size();
  const uint64_t keep_one_more = total % sorted.size();  // so many, the heaviest
  const auto due = [&](size_t place) { return share + (place < keep_one_more ? 1 : 0); };

  // Sorted as they are, those who give come before those who take: the heaviest meets the lightest.
  std::vector<Gift> gifts;
  size_t giver = 0;
  size_t taker = sorted.size() - 1;
  while (giver < taker) {
    Load& from = sorted[giver];
    Load& to = sorted[taker];
    if (from.connections <= due(giver)) {
      ++giver;
    } else if (to.connections >= due(taker)) {
      --taker;
    } else {
      const auto moved = static_cast<uint32_t>(
          std::min(from.connections - due(giver), due(taker) - to.connections));
      from.connections -= moved;
      to.connections += moved;
      gifts.push_back({from.worker, to.worker, moved});
    }
  }
  return gifts;
}

}  // namespace uc::policy
