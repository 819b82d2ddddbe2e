#include "core/link/worker_mark.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc::link {

std::string ToText(const WorkerMark& mark) {
  return absl::StrCat(mark.pid, " ", mark.start, " ", mark.session, " ", mark.directory);
}

std::optional<WorkerMark> ParseWorkerMark(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits(' ', 3));
  WorkerMark mark;
  if (words.size() != 4 || !absl::SimpleAtoi(words[0], &mark.pid) || mark.pid <= 1 ||
      !absl::SimpleAtoi(words[1], &mark.start) || !absl::SimpleAtoi(words[2], &mark.session) ||
      words[3].empty()) {
    return std::nullopt;
  }
  mark.directory = std::string(words[3]);
  return mark;
}

}  // namespace uc::link
