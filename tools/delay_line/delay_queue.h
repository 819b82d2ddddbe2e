// DelayQueue: packets that leave a fixed time after they came, in order. PURE: time is an argument.
#ifndef TOOLS_DELAY_LINE_DELAY_QUEUE_H_
#define TOOLS_DELAY_LINE_DELAY_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace uc::delay_line {

// What went through one direction.
struct Counts {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t dropped = 0;  // the queue was full
  size_t longest = 0;    // packets in the queue at one time
};

class DelayQueue {
 public:
  DelayQueue(int64_t delay_ns, size_t packets_max)
      : delay_ns_(delay_ns), packets_max_(packets_max) {}

  void Put(int64_t now_ns, absl::string_view packet) {
    if (queue_.size() >= packets_max_) {
      ++counts_.dropped;
      return;
    }
    queue_.emplace_back(now_ns + delay_ns_, std::string(packet));
    counts_.longest = queue_.size() > counts_.longest ? queue_.size() : counts_.longest;
  }
  // The packet that is due by now; nullptr: none is.
  const std::string* Due(int64_t now_ns) const {
    return queue_.empty() || queue_.front().first > now_ns ? nullptr : &queue_.front().second;
  }
  // It has been sent.
  void Pop() {
    ++counts_.packets;
    counts_.bytes += queue_.front().second.size();
    queue_.pop_front();
  }
  // When the next one is due; INT64_MAX: the queue is empty.
  int64_t next_ns() const { return queue_.empty() ? INT64_MAX : queue_.front().first; }
  const Counts& counts() const { return counts_; }

 private:
  const int64_t delay_ns_;
  const size_t packets_max_;
  std::deque<std::pair<int64_t, std::string>> queue_;
  Counts counts_;
};

}  // namespace uc::delay_line

#endif  // TOOLS_DELAY_LINE_DELAY_QUEUE_H_
