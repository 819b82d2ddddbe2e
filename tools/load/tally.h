// Tally: every attempt of the load client, by what became of it. Nothing is retried, nothing is left out:
// attempts = the sum of all kinds, once none is under way.
#ifndef TOOLS_LOAD_TALLY_H_
#define TOOLS_LOAD_TALLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/scoreboard/histogram.h"
#include "core/scoreboard/layout.h"

namespace uc::load {

enum class Kind : uint8_t {
  kOk,
  kRefused,            // ECONNREFUSED and the like
  kResetBeforeAnswer,  // no byte of the answer had come
  kResetMidAnswer,
  kEofBeforeAnswer,
  kEofMidAnswer,
  kTimeoutConnect,
  kTimeoutAnswer,
  kBadAnswer,   // not HTTP, another status or body than expected
  kLocalError,  // our own fault: no ports, no descriptors
};
inline constexpr size_t kKinds = 10;
const char* Name(Kind kind);

struct Failure {
  double at_seconds = 0;  // since the start
  Kind kind = Kind::kOk;
  uint16_t local_port = 0;
  uint64_t bytes = 0;  // of the answer that had come
  std::string detail;
};

class Tally {
 public:
  void Begin() { ++attempts_; }
  // `latency_us`: from the intended send time to the answer's last byte.
  void Ok(int64_t latency_us, int64_t slow_us);
  void Fail(Failure failure);
  void Opened() { ++opened_; }
  // The server closed an idle keep-alive connection, announced or not.
  void IdleClosed(bool announced) { announced ? ++announced_closed_ : ++idle_closed_; }
  void AnswerAt(int64_t now_ns);
  void HeaderSeen(const std::string& value) { ++header_values_[value]; }

  uint64_t attempts() const { return attempts_; }
  uint64_t of(Kind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  // All that was asked of the server and not answered as it should.
  uint64_t lost() const;
  // One JSON object on one line.
  std::string ToJson(double seconds) const;
  std::string ToText(double seconds) const;

 private:
  static constexpr size_t kFailuresKept = 100;

  uint64_t attempts_ = 0, opened_ = 0, slow_ = 0, idle_closed_ = 0, announced_closed_ = 0;
  std::array<uint64_t, kKinds> kinds_ = {};
  std::vector<uint64_t> latency_ = std::vector<uint64_t>(scoreboard::kLatencyBuckets);
  int64_t latency_max_us_ = 0;
  int64_t last_answer_ns_ = 0, longest_gap_ns_ = 0;
  std::vector<Failure> failures_;
  std::map<std::string, uint64_t> header_values_;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_TALLY_H_
