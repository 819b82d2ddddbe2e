#include "core/worker/deadlines.h"

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

}  // namespace uc::worker
