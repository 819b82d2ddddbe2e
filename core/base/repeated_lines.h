// RepeatedLines: which lines of a log are written, and when, so that what repeats itself fills no disk. PURE: time is an
// argument.
//
// Two lines are the same if they differ in numbers only; the first number behind the word "worker" or "slot" counts: a
// line about another slot is another line. A line is written at once until it has been so kAtOnce times. Then it is
// held: the last text is written once in a period, with the number of the others: "... (and 57 more in the last 60 s)".
// The period doubles from kPeriodLeast to kPeriodMost. A line that does not come for kForgotten, and for a period, begins
// anew. Invariant: at most kLinesMax different lines are known; the one that has not come for longest makes room.
//
// Refused: a period that stays the same (199 slots that crash for ever would write 40 MB a day), and one count for all
// slots (nobody could see which of them it is).
#ifndef CORE_BASE_REPEATED_LINES_H_
#define CORE_BASE_REPEATED_LINES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/log.h"

namespace uc {

class RepeatedLines {
 public:
  static constexpr int kAtOnce = 5;
  static constexpr absl::Duration kPeriodLeast = absl::Seconds(60);
  static constexpr absl::Duration kPeriodMost = absl::Hours(2);
  static constexpr absl::Duration kForgotten = absl::Minutes(10);
  static constexpr size_t kLinesMax = 2048;

  struct Line {
    Severity severity = Severity::kInfo;
    std::string text;
  };

  // A line has come: what is written now.
  std::vector<Line> Take(absl::Time now, Severity severity, absl::string_view text);
  // Time has passed: what is written now.
  std::vector<Line> Due(absl::Time now);
  // All that is held, whatever the time: nothing comes after it.
  std::vector<Line> All(absl::Time now);
  // When Due() has something next.
  absl::Time due() const { return due_; }

 private:
  struct Known {
    int at_once = 0;    // so often it was written as it came
    Line last;          // of those that are held
    uint64_t held = 0;  // since `since`, not yet written
    absl::Time since;
    absl::Time seen;
    absl::Duration period = kPeriodLeast;
  };
  using Lines = std::map<std::string, Known>;

  static Line Tell(absl::Time now, Known& known);
  void MakeRoom(absl::Time now, std::vector<Line>* lines);

  Lines known_;
  absl::Time due_ = absl::InfiniteFuture();
};

}  // namespace uc

#endif  // CORE_BASE_REPEATED_LINES_H_
