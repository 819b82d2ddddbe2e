#include "core/front/pool.h"

namespace uc::front {

void Pool::Put(PoolNode& node, PoolNode::Place place, int64_t now_ns) {
  Remove(node);
  List& to = list(place);
  node.place = place;
  node.placed_ns = now_ns;
  node.older = to.newest;
  node.newer = nullptr;
  (to.newest != nullptr ? to.newest->newer : to.oldest) = &node;
  to.newest = &node;
  ++to.size;
}

void Pool::Remove(PoolNode& node) {
  if (node.place == PoolNode::Place::kNowhere) return;
  List& from = list(node.place);
  (node.older != nullptr ? node.older->newer : from.oldest) = node.newer;
  (node.newer != nullptr ? node.newer->older : from.newest) = node.older;
  --from.size;
  node.place = PoolNode::Place::kNowhere;
  node.older = node.newer = nullptr;
}

PoolNode* Pool::Take(Wants wants, int64_t now_ns) {
  PoolNode* const newest = list(PoolNode::Place::kKept).newest;
  if (newest == nullptr || wants == Wants::kNew) return nullptr;
  if (wants == Wants::kFresh && now_ns - newest->placed_ns > kFreshNs) return nullptr;
  Remove(*newest);
  return newest;
}

PoolNode* Pool::Surplus(int64_t now_ns) {
  const List& kept = list(PoolNode::Place::kKept);
  const PoolNode* const asked = list(PoolNode::Place::kAsked).oldest;
  const bool slow = asked != nullptr && now_ns - asked->placed_ns > kSlowNs;
  PoolNode* const listening = list(PoolNode::Place::kListening).oldest;
  if (slow && listening != nullptr && now_ns - listening->placed_ns > kSlowNs) return listening;
  if (kept.oldest == nullptr) return nullptr;
  const int64_t longest_ns = slow ? kSlowNs : kKeptNs;
  const bool old = now_ns - kept.oldest->placed_ns > longest_ns;
  return old || kept.size > kKeptMax ? kept.oldest : nullptr;
}

}  // namespace uc::front
