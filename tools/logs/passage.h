// Passage: lines on their way to a terminal or a pipe that belongs to somebody else. Never waits for long: a reader
// that has stopped reading loses lines, which are counted and reported when it reads again.
#ifndef TOOLS_LOGS_PASSAGE_H_
#define TOOLS_LOGS_PASSAGE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace uc::tools {

class Passage {
 public:
  // Borrows `fd`.
  explicit Passage(int fd) : fd_(fd) {}

  void Append(absl::string_view text);
  uint64_t pieces_lost() const { return lost_; }

 private:
  bool TakesAPiece();
  void Write(absl::string_view piece);

  const int fd_;
  bool stalled_ = false;
  uint64_t lost_ = 0;
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_PASSAGE_H_
