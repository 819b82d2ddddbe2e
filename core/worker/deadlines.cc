#include "core/worker/deadlines.h"

#include <algorithm>

namespace uc::worker {
namespace {

bool IsUrgent(DeadlineKind kind) {
  return kind != DeadlineKind::kNone && kind != DeadlineKind::kIdle;
}

}  // namespace

Deadlines::Deadlines(const std::array<int64_t, kDeadlineKinds>& durations_ns)
    : durations_ns_(durations_ns) {}

[[gnu::hot]] void Deadlines::Move(DeadlineNode& node, DeadlineKind kind) {
  if (node.kind != DeadlineKind::kNone) Unlink(node);
  if (kind != DeadlineKind::kNone) Append(node, kind);
}

[[gnu::hot]] void Deadlines::Unlink(DeadlineNode& node) {
  List& list = lists_[static_cast<size_t>(node.kind)];
  (node.previous != nullptr ? node.previous->next : list.head) = node.next;
  (node.next != nullptr ? node.next->previous : list.tail) = node.previous;
  node.previous = node.next = nullptr;
  urgent_ -= IsUrgent(node.kind);
  node.kind = DeadlineKind::kNone;
}

[[gnu::hot]] void Deadlines::Append(DeadlineNode& node, DeadlineKind kind) {
  List& list = lists_[static_cast<size_t>(kind)];
  node.kind = kind;
  node.queued_since_ns = node.since_ns;
  node.previous = list.tail;
  node.next = nullptr;
  (list.tail != nullptr ? list.tail->next : list.head) = &node;
  list.tail = &node;
  urgent_ += IsUrgent(kind);
}

DeadlineNode* Deadlines::Expire(int64_t now_ns, DeadlineKind* was) {
  for (size_t kind = 1; kind < kDeadlineKinds; ++kind) {
    List& list = lists_[kind];
    while (list.head != nullptr && now_ns - list.head->queued_since_ns >= durations_ns_[kind]) {
      DeadlineNode& node = *list.head;
      *was = node.kind;
      Unlink(node);
      if (now_ns - node.since_ns >= durations_ns_[kind]) return &node;
      Append(node, static_cast<DeadlineKind>(kind));
    }
  }
  return nullptr;
}

DeadlineNode* Deadlines::Longest(DeadlineKind kind, int64_t latest_ns) {
  std::vector<Candidate>& candidates = candidates_[static_cast<size_t>(kind)];
  for (;;) {
    while (!candidates.empty()) {
      const Candidate& longest = candidates.back();
      if (longest.node->kind == kind && longest.node->since_ns == longest.since_ns) {
        return longest.since_ns <= latest_ns ? longest.node : nullptr;
      }
      candidates.pop_back();
    }
    if (lists_[static_cast<size_t>(kind)].head == nullptr) return nullptr;
    FindCandidates(kind);
  }
}

void Deadlines::FindCandidates(DeadlineKind kind) {
  std::vector<Candidate>& candidates = candidates_[static_cast<size_t>(kind)];
  const auto longer = [](const Candidate& a, const Candidate& b) {
    return a.since_ns < b.since_ns;
  };
  for (DeadlineNode* node = lists_[static_cast<size_t>(kind)].head; node; node = node->next) {
    candidates.push_back({node->since_ns, node});
  }
  // A part of them all: then the walk costs a few steps for each that is asked for.
  const size_t count =
      std::min(candidates.size(), std::max(kCandidatesMin, candidates.size() / 16));
  const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(candidates.begin(), end - 1, candidates.end(), longer);
  candidates.erase(end, candidates.end());
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& a, const Candidate& b) { return longer(b, a); });
}

void Deadlines::Pass(const DeadlineNode& node) {
  std::vector<Candidate>& candidates = candidates_[static_cast<size_t>(node.kind)];
  if (!candidates.empty() && candidates.back().node == &node) candidates.pop_back();
}

}  // namespace uc::worker
