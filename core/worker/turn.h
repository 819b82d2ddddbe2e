// Turn: how much of one turn of the loop each connection gets, and who goes on in a later turn. PURE.
//
// A turn has kBytes. A connection's share is a part of what is left of them: large while few connections are
// busy, small when many are, nothing when the turn is used up. A connection whose share is used up waits in line;
// the line goes on in later turns, first come, first served. Completions of a turn leave half of it to a line
// that is not empty, and the line leaves the turn to connections that wait to be accepted: so a request that has
// just come waits for a turn of bounded length, and nobody in the line waits for ever.
// Refused: the clock as the measure, which has to be read for every answer (answers that are known to have taken
// long end the turn by End()).
#ifndef CORE_WORKER_TURN_H_
#define CORE_WORKER_TURN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace uc::worker {

class Connection;

class Turn {
 public:
  static constexpr size_t kBytes = 4 * 1024 * 1024;
  static constexpr size_t kShareMax = 256 * 1024;
  static constexpr size_t kShareMin = 16 * 1024;
  static constexpr size_t kRequestBytes = 512;  // what a request counts for, besides what is sent
  // So many go on in every turn, however little is left of it.
  static constexpr size_t kFromLineMin = 2;
  // A turn in which an answer came after so long has no shares left.
  static constexpr int64_t kLongNs = 10'000'000;

  void Begin() {
    ++number_;
    from_line_ = 0;
    newcomers_wait_ = false;
    if (lined_ == 0) {
      share_max_ = kShareMax;
      left_ = kBytes;
      return;
    }
    if (next_ == line_.size()) {
      line_.clear();
      line_.swap(waiting_);
      next_ = 0;
      // Who is far behind in a long line waits for small shares only.
      share_max_ = std::clamp(kBytes / line_.size(), kShareMin, kShareMax);
    }
    left_ = kBytes / 2;
  }
  // Tells turns apart: a share is good for one.
  uint32_t number() const { return number_; }
  // For a connection that has had none in this turn.
  size_t Share() const {
    if (left_ == 0 && from_line_ == 0) return 0;
    return std::clamp(left_ / 4, kShareMin, share_max_);
  }
  void Use(size_t bytes) { left_ -= std::min(left_, bytes); }
  void End() { left_ = 0; }
  // There are more connections to be accepted than one turn takes.
  void NewcomersWait() { newcomers_wait_ = true; }

  // Puts a connection into the line; once, until it comes up in Next().
  void Line(Connection* connection) {
    ++lined_;
    waiting_.push_back(connection);
  }
  bool line_empty() const { return lined_ == 0; }
  // After all completions of a turn: the next connection in line that goes on in this turn, or nullptr.
  Connection* Next() {
    if (lined_ == 0 || next_ == line_.size()) return nullptr;
    if (from_line_ == 0) left_ += kBytes / 2;
    if (from_line_ >= kFromLineMin && (left_ == 0 || newcomers_wait_)) return nullptr;
    ++from_line_;
    --lined_;
    return line_[next_++];
  }

 private:
  uint32_t number_ = 0;
  uint32_t lined_ = 0;  // in both
  size_t left_ = kBytes;
  size_t share_max_ = kShareMax;
  size_t from_line_ = 0;
  bool newcomers_wait_ = false;
  std::vector<Connection*> line_;     // from next_ on
  std::vector<Connection*> waiting_;  // behind line_
  size_t next_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_TURN_H_
