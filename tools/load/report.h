// What a run was and what came of it, for people and for programs. PURE.
#ifndef TOOLS_LOAD_REPORT_H_
#define TOOLS_LOAD_REPORT_H_

#include <string>

#include "tools/load/tally.h"

namespace uc::load {

struct Course {
  double seconds = 0;
  double cpu_seconds = 0;                                   // of the generator itself, all threads
  double rate = 0;                                          // that was asked for; 0: closed loop
  enum class Buckets { kNo, kYes } buckets = Buckets::kNo;  // the histogram itself, too
};

// One JSON object on one line.
std::string ToJson(const Tally& tally, const Course& course);
// Lines for a terminal.
std::string ToText(const Tally& tally, const Course& course);

}  // namespace uc::load

#endif  // TOOLS_LOAD_REPORT_H_
