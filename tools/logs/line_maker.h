// LineMaker: pieces of a stream into whole lines, each with its prefix. PURE.
#ifndef TOOLS_LOGS_LINE_MAKER_H_
#define TOOLS_LOGS_LINE_MAKER_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

class LineMaker {
 public:
  // What has no newline within so many bytes is passed on in parts.
  static constexpr size_t kLineMax = 64 << 10;

  // The whole lines that `piece` completes, `prefix` before each.
  std::string Take(absl::string_view piece, absl::string_view prefix);
  // The stream has ended: what is left, as a line.
  std::string End(absl::string_view prefix);

 private:
  std::string rest_;
  bool torn_ = false;  // the beginning of the line in rest_ is out already
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LINE_MAKER_H_
