// The end of a log, across its rotated files, and what comes after it.
#ifndef TOOLS_LOGS_LAST_LINES_H_
#define TOOLS_LOGS_LAST_LINES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>

#include "core/base/fd.h"

namespace uc::tools {

// Reads the end of PATH and what is appended to it from then on, also when it is rotated or emptied meanwhile.
class Follower {
 public:
  explicit Follower(std::string path) : path_(std::move(path)) {}

  // The last `count` lines of PATH; what it has too few of comes from PATH.1, and so on. Call once, first. Reads no more
  // than these lines: of one that is longer than 256 KiB only the end, and nothing before it.
  std::string LastLines(size_t count);
  // What is new since the last call; without one before, everything in PATH.
  std::string ReadNew();

 private:
  void TakeRest(std::string* text);
  // The files that were rotated away since ours, ours not included, oldest first; PATH itself comes after them.
  void TakeRotated(std::string* text) const;

  const std::string path_;
  Fd file_;
  off_t offset_ = 0;
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LAST_LINES_H_
