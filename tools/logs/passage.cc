#include "tools/logs/passage.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace uc::tools {
namespace {

constexpr int kPatienceMs = 50;  // for a reader that is only slow

}  // namespace

// A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)); files and terminals always do.
bool Passage::TakesAPiece() {
  pollfd watch = {fd_, POLLOUT, 0};
  const bool ready =
      poll(&watch, 1, stalled_ ? 0 : kPatienceMs) == 1 && (watch.revents & POLLOUT) != 0;
  stalled_ = !ready;
  return ready;
}

void Passage::Append(absl::string_view text) {
  while (!text.empty()) {
    // Whole lines where they fit.
    size_t piece = std::min<size_t>(text.size(), PIPE_BUF);
    if (const size_t end = text.rfind('\n', piece - 1); end != absl::string_view::npos)
      piece = end + 1;
    if (TakesAPiece()) {
      if (lost_ > 0) {
        const std::string notice = absl::StrCat("uring-cluster: ", lost_, " pieces were lost\n");
        lost_ = 0;
        Write(notice);
        continue;  // that was a piece
      }
      Write(text.substr(0, piece));
    } else {
      ++lost_;
    }
    text.remove_prefix(piece);
  }
}

void Passage::Write(absl::string_view piece) {
  if (write(fd_, piece.data(), piece.size()) < 0) ++lost_;
}

}  // namespace uc::tools
