#include "tools/logs/rotated_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace uc::tools {
namespace {

uint64_t Lines(absl::string_view text) {
  const auto ends = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  return std::max<uint64_t>(1, ends);
}

}  // namespace

RotatedFile::RotatedFile(std::string path, int64_t size_max, int files)
    : path_(std::move(path)), size_max_(size_max), files_(files) {}

std::string RotatedFile::Old(int number) const { return absl::StrCat(path_, ".", number); }

void RotatedFile::Append(absl::string_view text) {
  while (!text.empty()) {
    if (!Ready()) return Lose(text, errno);
    size_t piece = text.size();
    if (regular_ && size_ + static_cast<int64_t>(piece) > size_max_) {
      // As many whole lines as there is room for; a line that is longer than a file has one for itself.
      const int64_t room = size_max_ - size_;
      const size_t end =
          room > 0 ? text.rfind('\n', static_cast<size_t>(room) - 1) : absl::string_view::npos;
      if (end == absl::string_view::npos && size_ > 0) {
        Rotate();
        if (size_ > 0) return Lose(text, errno);
        continue;
      }
      piece = end != absl::string_view::npos ? end + 1 : std::min(text.find('\n'), piece - 1) + 1;
    }
    if (!Write(text.substr(0, piece))) return Lose(text, errno);
    text.remove_prefix(piece);
  }
}

// Open, and still what its name says.
bool RotatedFile::Ready() {
  struct stat status;
  if (file_.valid() && fstat(file_.get(), &status) == 0 && status.st_nlink > 0) {
    size_ = status.st_size;  // `flush` may have emptied it
    return true;
  }
  file_.Reset(open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file_.valid() || fstat(file_.get(), &status) != 0) return false;
  regular_ = S_ISREG(status.st_mode);
  size_ = status.st_size;
  return true;
}

bool RotatedFile::Write(absl::string_view text) {
  std::string marked;
  if (unmarked_ > 0) {
    marked = absl::StrCat("uring-cluster: ", unmarked_, " lines were lost here\n", text);
    text = marked;
  }
  const int64_t before = size_;
  while (!text.empty()) {
    const ssize_t written = write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      // No halves of lines.
      if (regular_ && size_ > before && ftruncate(file_.get(), before) == 0) size_ = before;
      errno = error;
      return false;
    }
    size_ += written;
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (unmarked_ > 0) {
    LogInfo(absl::StrCat(path_, ": can be written again; ", unmarked_, " lines were lost"));
    unmarked_ = 0;
  }
  return true;
}

void RotatedFile::Rotate() {
  for (int number = files_; number > 1; --number) {
    rename(Old(number - 1).c_str(), Old(number).c_str());  // most of them are not there
  }
  if (files_ > 0 && rename(path_.c_str(), Old(1).c_str()) == 0) {
    file_.Reset();
    size_ = 0;
  } else if (ftruncate(file_.get(), 0) == 0) {  // a folder that is not ours: bounded all the same
    size_ = 0;
  }
}

void RotatedFile::Lose(absl::string_view text, int error) {
  if (unmarked_ == 0) {
    LogWarning(absl::StrCat(path_, ": cannot be written: ", strerror(error),
                            "; the workers' lines are lost until it can"));
  }
  lost_ += Lines(text);
  unmarked_ += Lines(text);
}

}  // namespace uc::tools
