// RequestQueue: requests that wait for the server behind a front: for one of its places, or for its return. PURE.
//
// First come, first served; bounded in number and in time, and who is refused is told at once. All wait equally long at
// most, so the first one is also the first whose time is over.
#ifndef CORE_FRONT_REQUEST_QUEUE_H_
#define CORE_FRONT_REQUEST_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "core/app/app.h"

namespace uc::front {

struct WaitingRequest {
  app::ExchangeId id = 0;
  int tries = 1;  // the next one included
  int64_t until_ns = 0;
  int64_t not_before_ns = 0;  // those behind it wait as well
  std::string body;           // what was collected of it
};

class RequestQueue {
 public:
  RequestQueue(size_t waiting_max, int64_t wait_max_ns)
      : waiting_max_(waiting_max), wait_max_ns_(wait_max_ns) {}

  enum class Pushed { kYes, kFull };
  Pushed Push(app::ExchangeId id, int tries, int64_t now_ns, int64_t not_before_ns = 0,
              std::string body = {}) {
    if (waiting_.size() >= waiting_max_) return Pushed::kFull;
    waiting_.push_back({id, tries, now_ns + wait_max_ns_, not_before_ns, std::move(body)});
    return Pushed::kYes;
  }
  bool empty() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }
  const WaitingRequest& first() const { return waiting_.front(); }
  void Pop() { waiting_.pop_front(); }
  bool FirstExpired(int64_t now_ns) const {
    return !waiting_.empty() && waiting_.front().until_ns <= now_ns;
  }
  // Those whose clients have left keep no place.
  template <typename IsGone>
  void DropGone(const IsGone& is_gone) {
    std::erase_if(waiting_, [&](const WaitingRequest& one) { return is_gone(one.id); });
  }

 private:
  const size_t waiting_max_;
  const int64_t wait_max_ns_;
  std::deque<WaitingRequest> waiting_;
};

}  // namespace uc::front

#endif  // CORE_FRONT_REQUEST_QUEUE_H_
