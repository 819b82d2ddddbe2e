// HangWatch: does the program behind a front still answer? PURE.
//
// Stuck is not slow: a program that holds requests is busy, and nobody can tell from outside whether it will answer
// them. So it is asked something of our own when it has begun no answer for half of the time-out, and is hung when it
// has begun none, to whomever, for all of the time-out from then on. Only time in which the worker had its turns counts,
// so that a machine that stood still for a while is nobody's hang.
#ifndef CORE_FRONT_HANG_WATCH_H_
#define CORE_FRONT_HANG_WATCH_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace uc::front {

class HangWatch {
 public:
  explicit HangWatch(absl::Duration timeout) : timeout_(timeout) {}

  enum class Verdict {
    kWell,
    kAsk,  // put a question to it, once
    kHung,
  };
  // It serves, from now on.
  void Begin(absl::Time now) {
    looked_at_ = now;
    Alive();
  }
  // `answers`: that it has begun so far, in its life.
  Verdict Look(absl::Time now, uint64_t answers) {
    const absl::Duration passed = std::min(now - looked_at_, timeout_ / kLooksLeast);
    looked_at_ = now;
    if (answers != answers_) {
      answers_ = answers;
      Alive();
      return Verdict::kWell;
    }
    silence_ += passed;
    if (asked_) return silence_ >= timeout_ ? Verdict::kHung : Verdict::kWell;
    if (silence_ < timeout_ / 2) return Verdict::kWell;
    asked_ = true;
    silence_ = absl::ZeroDuration();
    return Verdict::kAsk;
  }
  // The question has been answered.
  void Alive() {
    asked_ = false;
    silence_ = absl::ZeroDuration();
  }
  // When the next Look() is due, at the latest.
  absl::Duration period() const { return std::min(timeout_ / kLooksLeast, absl::Seconds(1)); }

 private:
  static constexpr int kLooksLeast = 8;  // in the time-out
  const absl::Duration timeout_;
  absl::Time looked_at_;
  absl::Duration silence_;  // since the last answer, or since the question
  bool asked_ = false;
  uint64_t answers_ = 0;
};

}  // namespace uc::front

#endif  // CORE_FRONT_HANG_WATCH_H_
