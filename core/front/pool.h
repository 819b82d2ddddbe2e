// Pool: the connections to the server behind a front: which one the next request goes on, and which are closed. PURE.
//
//   (nowhere) ──Ask──> kAsked ──Answering──> kAnswering ──Keep──> kKept ──Take──> (nowhere)
//                        └────────── Remove, from anywhere ──────────> (nowhere)
//   (nowhere) ──Listen──> kListening ──Remove──> (nowhere)
//
// The one that was used last is used next: so few stay in use, and the others grow old and are closed before the server
// closes them. A request that crosses the server's close is lost, so one that must not be sent twice only goes on a
// connection that was in use a moment ago, or on a new one.
// Kept connections that nobody needs are closed early when a request has waited for its answer for a while: a server of
// one thread may be waiting on them instead.
#ifndef CORE_FRONT_POOL_H_
#define CORE_FRONT_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace uc::front {

// Part of each connection; belongs to at most one Pool.
struct PoolNode {
  enum class Place : uint8_t {
    kNowhere,
    kKept,       // between two requests
    kAsked,      // no byte of the response has come
    kAnswering,  // the rest of the response is to come
    kListening,  // for a client that says nothing: the server may speak first
  };
  Place place = Place::kNowhere;
  PoolNode* older = nullptr;
  PoolNode* newer = nullptr;
  int64_t placed_ns = 0;
};

// What a request asks of its connection.
enum class Wants {
  kAny,    // it can be sent again
  kFresh,  // it cannot
  kNew,    // it is being sent again: the other kept ones may have ended as well
};

class Pool {
 public:
  static constexpr int64_t kFreshNs = 500'000'000;
  // Shorter than what servers keep by default: gunicorn 2 s, Node and uvicorn 5 s, Puma 20 s.
  static constexpr int64_t kKeptNs = 1'800'000'000;
  static constexpr int64_t kSlowNs = 100'000'000;  // an answer that has not begun
  static constexpr size_t kKeptMax = 512;

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A kept connection, from now on nowhere; nullptr: open a new one.
  PoolNode* Take(Wants wants, int64_t now_ns);
  void Ask(PoolNode& node, int64_t now_ns) { Put(node, PoolNode::Place::kAsked, now_ns); }
  void Answering(PoolNode& node, int64_t now_ns) { Put(node, PoolNode::Place::kAnswering, now_ns); }
  void Keep(PoolNode& node, int64_t now_ns) { Put(node, PoolNode::Place::kKept, now_ns); }
  void Listen(PoolNode& node, int64_t now_ns) { Put(node, PoolNode::Place::kListening, now_ns); }
  void Remove(PoolNode& node);
  // One that listens; nullptr: none.
  PoolNode* Listening() { return list(PoolNode::Place::kListening).oldest; }
  // A kept connection that is to be closed now, or one that listens; nullptr: none. Ask again until then.
  PoolNode* Surplus(int64_t now_ns);

  size_t kept() const { return list(PoolNode::Place::kKept).size; }
  size_t listening() const { return list(PoolNode::Place::kListening).size; }
  // Requests that the server has.
  size_t in_flight() const {
    return list(PoolNode::Place::kAsked).size + list(PoolNode::Place::kAnswering).size;
  }

 private:
  struct List {
    PoolNode* oldest = nullptr;
    PoolNode* newest = nullptr;
    size_t size = 0;
  };
  List& list(PoolNode::Place place) { return lists_[static_cast<size_t>(place) - 1]; }
  const List& list(PoolNode::Place place) const { return lists_[static_cast<size_t>(place) - 1]; }
  void Put(PoolNode& node, PoolNode::Place place, int64_t now_ns);

  std::array<List, 4> lists_;
};

}  // namespace uc::front

#endif  // CORE_FRONT_POOL_H_
