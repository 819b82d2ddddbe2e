// The end of a log, across its rotated files, and what comes after it.
#ifndef TOOLS_LOGS_LAST_LINES_H_
#define TOOLS_LOGS_LAST_LINES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "core/base/fd.h"

namespace uc::tools {

// The last `count` lines of PATH; what it has too few of comes from PATH.1, and so on. `end`: where PATH ended then.
std::string LastLines(const std::string& path, size_t count, off_t* end = nullptr);

// Reads what is appended to PATH behind an offset, also when it is rotated or emptied meanwhile.
class Follower {
 public:
  Follower(std::string path, off_t offset);

  // What is new since the last call.
  std::string ReadNew();

 private:
  void TakeRest(std::string* text);
  // The files that were rotated away since ours, ours not included, oldest first; PATH itself comes after them.
  void TakeRotated(std::string* text) const;

  const std::string path_;
  Fd file_;
  off_t offset_;
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LAST_LINES_H_
