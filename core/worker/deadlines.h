// Deadlines: one per connection, of a few kinds with one duration each. PURE.
//
// Lazy: activity is one store; only Expire() looks, at the oldest of each kind, and re-queues those that
// were active meanwhile. So a deadline fires at its time or up to a tick late, never early.
#ifndef CORE_WORKER_DEADLINES_H_
#define CORE_WORKER_DEADLINES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace uc::worker {

enum class DeadlineKind : uint8_t {
  kNone,
  kIdle,      // keep-alive, between requests
  kHeader,    // a head has begun
  kBody,      // between two pieces of a body
  kRequest,   // the app works on a response
  kSend,      // the peer does not read
  kLinger,    // after our FIN
  kRoom,      // a body waits for memory of the worker
  kFirst,     // nothing has come that tells the protocol
  kContinue,  // a client waits for 100 Continue
};
inline constexpr size_t kDeadlineKinds = 10;

// Part of each connection; belongs to at most one Deadlines.
struct DeadlineNode {
  DeadlineNode* previous = nullptr;
  DeadlineNode* next = nullptr;
  DeadlineKind kind = DeadlineKind::kNone;
  int64_t since_ns = 0;         // last activity
  int64_t queued_since_ns = 0;  // what its place in the list stands for
};

class Deadlines {
 public:
  // Durations in ns, by kind; kNone is not looked at.
  explicit Deadlines(const std::array<int64_t, kDeadlineKinds>& durations_ns);
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // Starts, restarts or (kNone) ends the node's deadline.
  void Set(DeadlineNode& node, DeadlineKind kind, int64_t now_ns) {
    node.since_ns = now_ns;
    if (node.kind != kind) Move(node, kind);
  }
  // A node whose deadline is over, taken off its list (kind kNone, *was its former kind); nullptr if
  // there is none. Call again until then.
  DeadlineNode* Expire(int64_t now_ns, DeadlineKind* was);
  // The node of this kind that has been inactive the longest, if that is since `latest_ns` or before; else nullptr.
  // The same one again until something becomes of it, or Pass().
  DeadlineNode* Longest(DeadlineKind kind, int64_t latest_ns);
  // Not this one, which Longest() has just named.
  void Pass(const DeadlineNode& node);
  // Nodes of kinds other than kIdle: those that want a quicker tick.
  size_t urgent() const { return urgent_; }

 private:
  struct List {
    DeadlineNode* head = nullptr;
    DeadlineNode* tail = nullptr;
  };
  // Of those that are inactive the longest, with what was true when they were looked for.
  struct Candidate {
    int64_t since_ns;
    DeadlineNode* node;
  };
  static constexpr size_t kCandidatesMin = 64;
  void Move(DeadlineNode& node, DeadlineKind kind);
  void FindCandidates(DeadlineKind kind);
  void Unlink(DeadlineNode& node);
  void Append(DeadlineNode& node, DeadlineKind kind);

  std::array<int64_t, kDeadlineKinds> durations_ns_;
  std::array<List, kDeadlineKinds> lists_;
  // The longest last. Who is in none of them has been active later than all of them: so they are looked for once for
  // many questions.
  std::array<std::vector<Candidate>, kDeadlineKinds> candidates_;
  size_t urgent_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_DEADLINES_H_
