#include "core/coordinator/control_pipe.h"

#include <unistd.h>

#include <utility>

#include "core/policy/command.h"

namespace uc::coordinator {

int LineCutter::Take(absl::string_view bytes, std::vector<std::string>* lines) {
  int overlong = 0;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const absl::string_view part = bytes.substr(0, end);
    if (!discarding_ && begun_.size() + part.size() >= policy::kLineBytesMax) {
      discarding_ = true;
      begun_.clear();
      ++overlong;
    }
    if (!discarding_) begun_.append(part.data(), part.size());
    if (end == absl::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (!discarding_ && !begun_.empty()) lines->push_back(std::move(begun_));
    begun_.clear();
    discarding_ = false;
  }
  return overlong;
}

std::vector<std::string> ControlPipe::ReadLines(int* overlong) {
  std::vector<std::string> lines;
  *overlong = 0;
  char buffer[4096];
  for (size_t total = 0; total < kReadBytesMax;) {
    const ssize_t size = read(fd_, buffer, sizeof(buffer));
    if (size <= 0) break;  // EAGAIN: empty; the FIFO is open read-write, so there is no EOF
    *overlong += cutter_.Take(absl::string_view(buffer, size), &lines);
    total += size;
  }
  return lines;
}

}  // namespace uc::coordinator
