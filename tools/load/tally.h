// Tally: every attempt of the load, by what became of it. PURE.
//
// Nothing is retried, nothing is left out: attempts = the sum of all kinds, once none is under way. Each thread has its
// own; they add up.
#ifndef TOOLS_LOAD_TALLY_H_
#define TOOLS_LOAD_TALLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/load/histogram.h"

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
  kBadAnswer,   // not HTTP, another status or body than expected, bytes that nobody asked for
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
  static constexpr size_t kFailuresKept = 100;

  void Begin() { ++attempts_; }
  // `latency_ns`: from the intended send time to the answer's last byte. `bytes`: of head and body.
  void Ok(int64_t latency_ns, int64_t slow_ns, uint64_t bytes);
  // Open loop: the same from when it was really sent, which is all that a closed loop would have seen.
  void Service(int64_t service_ns) { service_.Record(service_ns); }
  void Fail(Failure failure);
  void Opened() { ++opened_; }
  // The server closed an idle keep-alive connection, announced or not.
  void IdleClosed(bool announced) { announced ? ++announced_closed_ : ++idle_closed_; }
  void AnswerAt(int64_t now_ns);
  void HeaderSeen(const std::string& value) { ++header_values_[value]; }
  // Open loop: attempts whose time had come, and all connections were busy until the end. The server's fault.
  void NotBegun(uint64_t attempts) { not_begun_ += attempts; }
  // Open loop: how late an attempt began although a connection was free. Our own fault.
  void Late(int64_t late_ns) { late_max_ns_ = late_ns > late_max_ns_ ? late_ns : late_max_ns_; }
  void Add(const Tally& other);

  uint64_t attempts() const { return attempts_; }
  uint64_t of(Kind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  // All that was asked of the server and not answered as it should.
  uint64_t lost() const;
  uint64_t slow() const { return slow_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t opened() const { return opened_; }
  uint64_t idle_closed() const { return idle_closed_; }
  uint64_t announced_closed() const { return announced_closed_; }
  uint64_t not_begun() const { return not_begun_; }
  int64_t late_max_ns() const { return late_max_ns_; }
  int64_t longest_gap_ns() const { return longest_gap_ns_; }
  const Histogram& latency() const { return latency_; }
  const Histogram& service() const { return service_; }
  // The first ones, in order of time.
  const std::vector<Failure>& failures() const { return failures_; }
  const std::map<std::string, uint64_t>& header_values() const { return header_values_; }

 private:
  uint64_t attempts_ = 0, opened_ = 0, slow_ = 0, idle_closed_ = 0, announced_closed_ = 0;
  uint64_t bytes_ = 0, not_begun_ = 0;
  std::array<uint64_t, kKinds> kinds_ = {};
  Histogram latency_, service_;
  int64_t last_answer_ns_ = 0, longest_gap_ns_ = 0, late_max_ns_ = 0;
  std::vector<Failure> failures_;
  std::map<std::string, uint64_t> header_values_;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_TALLY_H_
