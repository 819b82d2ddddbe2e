// ControlPipe: lines out of the control FIFO, whatever is written into it.
//
// Bounded: a line longer than policy::kLineBytesMax is dropped up to its newline, and one turn reads at
// most kReadBytesMax, so that a flood costs the flooder's commands and nothing else.
#ifndef CORE_COORDINATOR_CONTROL_PIPE_H_
#define CORE_COORDINATOR_CONTROL_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace uc::coordinator {

// Cuts a byte stream into lines. Pure.
class LineCutter {
 public:
  // Appends the complete lines, without newline and empty ones left out, to `lines`. Returns how many
  // over-long lines were given up in these bytes.
  int Take(absl::string_view bytes, std::vector<std::string>* lines);

 private:
  std::string begun_;
  bool discarding_ = false;
};

class ControlPipe {
 public:
  static constexpr size_t kReadBytesMax = 64 * 1024;

  explicit ControlPipe(int fd) : fd_(fd) {}
  // What is there now. `overlong` counts lines that were dropped.
  std::vector<std::string> ReadLines(int* overlong);

 private:
  int fd_;  // the RunDirectory's
  LineCutter cutter_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_CONTROL_PIPE_H_
