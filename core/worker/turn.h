// Turn: how much of one turn of the loop each connection gets, and who goes on in a later turn. PURE.
//
// A turn has kBytes. A connection's share is a part of what is left of them: large while few connections are
// busy, small when many are, nothing when the turn is used up. A connection whose share is used up waits in line;
// the line goes on in later turns, first come, first served. Completions of a turn leave half of it to a line
// that is not empty, and the line leaves the turn to connections that wait to be accepted; and a light connection, whose
// last share was more than it could use, does not wait behind others: kLightMax of them have a small share of every
// turn, however busy it is, and who finds none is the first to go on in the next one. So a request that has just come
// waits for a turn of bounded length, and nobody in the line waits for ever.
// Refused: the clock as the measure, which has to be read for every answer (answers that are known to have taken
// long end the turn by End()).
#ifndef CORE_WORKER_TURN_H_
#define CORE_WORKER_TURN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace uc::worker {

class Connection;

class Turn {
 public:
  static constexpr size_t kBytes = 4 * 1024 * 1024;
  static constexpr size_t kShareMax = 256 * 1024;
  static constexpr size_t kShareMin = 16 * 1024;
  static constexpr size_t kRequestBytes = 512;  // what a request counts for, besides what is sent
  // So many light ones have a share in every turn: half as much again as the others, at most.
  static constexpr size_t kLightMax = kBytes / 2 / kShareMin;
  // So many go on in every turn, however little is left of it.
  static constexpr size_t kFromLineMin = 2;
  // A turn in which an answer came after so long has no shares left.
  static constexpr int64_t kLongNs = 10'000'000;

  void Begin() {
    ++number_;
    from_line_ = 0;
    newcomers_wait_ = line_begun_ = false;
    light_left_ = kLightMax;
    light_served_ = 0;
    if (light_next_ == light_line_.size()) {
      light_line_.clear();
      light_line_.swap(light_waiting_);
      light_next_ = 0;
    }
    if (lined_ == 0) {
      share_max_ = kShareMax;
      left_ = kBytes;
      return;
    }
    if (next_ == line_.size() && !waiting_.empty()) {
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
    if (left_ == 0 && !line_begun_) return 0;
    return std::clamp(left_ / 4, kShareMin, share_max_);
  }
  // The same, for one that is light.
  size_t LightShare() {
    const size_t share = Share();
    if (share > 0 || light_left_ == 0) return share;
    --light_left_;
    return kShareMin;
  }
  void Use(size_t bytes) { left_ -= std::min(left_, bytes); }
  void End() { left_ = light_left_ = 0; }
  // There are more connections to be accepted than one turn takes.
  void NewcomersWait() { newcomers_wait_ = true; }

  // Puts a connection into the line; once, until it comes up in Next().
  void Line(Connection* connection) {
    ++lined_;
    waiting_.push_back(connection);
  }
  // The same, of a light one that has found no share in this turn.
  void LineFirst(Connection* connection) {
    ++lined_;
    light_waiting_.push_back(connection);
  }
  bool line_empty() const { return lined_ == 0; }
  // After all completions of a turn: the next connection in line that goes on in this turn, or nullptr.
  Connection* Next() {
    if (lined_ == 0) return nullptr;
    if (!std::exchange(line_begun_, true)) left_ += kBytes / 2;
    if (light_next_ < light_line_.size() && (left_ > 0 || light_served_ < kFromLineMin)) {
      ++light_served_;
      --lined_;
      return light_line_[light_next_++];
    }
    if (next_ == line_.size()) return nullptr;
    if (from_line_ >= kFromLineMin && (left_ == 0 || newcomers_wait_)) return nullptr;
    ++from_line_;
    --lined_;
    return line_[next_++];
  }

 private:
  uint32_t number_ = 0;
  uint32_t lined_ = 0;  // in all of them
  size_t left_ = kBytes;
  size_t share_max_ = kShareMax;
  size_t from_line_ = 0;
  size_t light_left_ = kLightMax;
  bool newcomers_wait_ = false;
  bool line_begun_ = false;
  std::vector<Connection*> line_;     // from next_ on
  std::vector<Connection*> waiting_;  // behind line_
  size_t next_ = 0;
  std::vector<Connection*> light_line_;     // from light_next_ on
  std::vector<Connection*> light_waiting_;  // of this turn
  size_t light_next_ = 0;
  size_t light_served_ = 0;  // in this turn
};

}  // namespace uc::worker

#endif  // CORE_WORKER_TURN_H_
