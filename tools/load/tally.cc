#include "tools/load/tally.h"

#include <algorithm>
#include <utility>

namespace uc::load {

const char* Name(Kind kind) {
  switch (kind) {
    case Kind::kOk:
      return "ok";
    case Kind::kRefused:
      return "refused";
    case Kind::kResetBeforeAnswer:
      return "reset_before_answer";
    case Kind::kResetMidAnswer:
      return "reset_mid_answer";
    case Kind::kEofBeforeAnswer:
      return "eof_before_answer";
    case Kind::kEofMidAnswer:
      return "eof_mid_answer";
    case Kind::kTimeoutConnect:
      return "timeout_connect";
    case Kind::kTimeoutAnswer:
      return "timeout_answer";
    case Kind::kBadAnswer:
      return "bad_answer";
    case Kind::kLocalError:
      return "local_error";
  }
  return "?";
}

void Tally::Ok(int64_t latency_ns, int64_t slow_ns, uint64_t bytes) {
  ++kinds_[static_cast<size_t>(Kind::kOk)];
  slow_ += latency_ns > slow_ns;
  bytes_ += bytes;
  latency_.Record(latency_ns);
}

void Tally::Fail(Failure failure) {
  ++kinds_[static_cast<size_t>(failure.kind)];
  if (failures_.size() < kFailuresKept) failures_.push_back(std::move(failure));
}

void Tally::AnswerAt(int64_t now_ns) {
  if (last_answer_ns_ != 0) longest_gap_ns_ = std::max(longest_gap_ns_, now_ns - last_answer_ns_);
  last_answer_ns_ = now_ns;
}

void Tally::Add(const Tally& other) {
  attempts_ += other.attempts_;
  opened_ += other.opened_;
  slow_ += other.slow_;
  idle_closed_ += other.idle_closed_;
  announced_closed_ += other.announced_closed_;
  bytes_ += other.bytes_;
  not_begun_ += other.not_begun_;
  for (size_t kind = 0; kind < kKinds; ++kind) kinds_[kind] += other.kinds_[kind];
  latency_.Add(other.latency_);
  service_.Add(other.service_);
  // Each thread's own gaps: those of the whole are at most as long.
  longest_gap_ns_ = std::max(longest_gap_ns_, other.longest_gap_ns_);
  late_max_ns_ = std::max(late_max_ns_, other.late_max_ns_);
  failures_.insert(failures_.end(), other.failures_.begin(), other.failures_.end());
  std::stable_sort(failures_.begin(), failures_.end(),
                   [](const Failure& a, const Failure& b) { return a.at_seconds < b.at_seconds; });
  if (failures_.size() > kFailuresKept) failures_.resize(kFailuresKept);
  for (const auto& [value, count] : other.header_values_) header_values_[value] += count;
}

uint64_t Tally::lost() const {
  uint64_t lost = 0;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    const auto one = static_cast<Kind>(kind);
    if (one != Kind::kOk && one != Kind::kLocalError) lost += kinds_[kind];
  }
  return lost;
}

}  // namespace uc::load
