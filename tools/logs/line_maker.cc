#include "tools/logs/line_maker.h"

#include "absl/strings/str_cat.h"

namespace uc::tools {

std::string LineMaker::Take(absl::string_view piece, absl::string_view prefix) {
  std::string lines;
  for (size_t end; (end = piece.find('\n')) != absl::string_view::npos;
       piece.remove_prefix(end + 1)) {
    absl::StrAppend(&lines, torn_ ? "" : prefix, rest_, piece.substr(0, end + 1));
    rest_.clear();
    torn_ = false;
  }
  absl::StrAppend(&rest_, piece);
  if (rest_.size() > kLineMax) {
    absl::StrAppend(&lines, torn_ ? "" : prefix, rest_);
    rest_.clear();
    torn_ = true;
  }
  return lines;
}

std::string LineMaker::End(absl::string_view prefix) {
  if (rest_.empty() && !torn_) return "";
  std::string line = absl::StrCat(torn_ ? "" : prefix, rest_, "\n");
  rest_.clear();
  torn_ = false;
  return line;
}

}  // namespace uc::tools
