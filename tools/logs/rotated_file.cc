#include "tools/logs/rotated_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
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

void RotatedFile::Reopen() {
  file_.Reset();
  folder_.reset();
}

void RotatedFile::Append(absl::string_view text, DeliveryJournal* journal) {
  while (!text.empty()) {
    if (absl::Status status = Ready(); !status.ok()) return Lose(text, status.message());
    size_t piece = text.size();
    if (regular_ && size_ + static_cast<int64_t>(piece) > size_max_) {
      // As many whole lines as there is room for; a line that is longer than a file has one for itself.
      const int64_t room = size_max_ - size_;
      const size_t end =
          room > 0 ? text.rfind('\n', static_cast<size_t>(room) - 1) : absl::string_view::npos;
      if (end == absl::string_view::npos && size_ > 0) {
        if (absl::Status status = Rotate(); !status.ok()) return Lose(text, status.message());
        continue;
      }
      piece = end != absl::string_view::npos ? end + 1 : std::min(text.find('\n'), piece - 1) + 1;
    }
    if (absl::Status status = Write(text.substr(0, piece), journal); !status.ok()) {
      return Lose(text, status.message());
    }
    text.remove_prefix(piece);
  }
}

size_t RotatedFile::MakeRoom(size_t line) {
  if (!Ready().ok()) return 0;
  if (!regular_) return SIZE_MAX;
  if (size_ > 0 && size_ + static_cast<int64_t>(line) > size_max_ && !Rotate().ok()) return 0;
  return std::max(line, static_cast<size_t>(std::max<int64_t>(size_max_ - size_, 0)));
}

bool RotatedFile::Finish(const DeliveryJournal::Unfinished& unfinished) {
  struct stat status;
  if (!Ready().ok() || !regular_ || fstat(file_.get(), &status) != 0) return false;
  if (status.st_dev != unfinished.device || status.st_ino != unfinished.inode) return false;
  if (status.st_size >= unfinished.after) return true;
  if (status.st_size > unfinished.before && ftruncate(file_.get(), unfinished.before) == 0) {
    size_ = unfinished.before;
  }
  return false;
}

// Open, and still there.
absl::Status RotatedFile::Ready() {
  struct stat status;
  if (file_.valid() && fstat(file_.get(), &status) == 0 && status.st_nlink > 0) {
    size_ = status.st_size;  // `flush` may have emptied it
    return absl::OkStatus();
  }
  const bool held = folder_.has_value();
  absl::Status opened = Open();
  // The folder that we hold may have gone, and another one be in its place.
  if (!opened.ok() && held) opened = Open();
  return opened;
}

absl::Status RotatedFile::Open() {
  file_.Reset();
  if (!folder_.has_value()) {
    absl::StatusOr<LogFolder> folder = LogFolder::Open(path_, LogFolder::Missing::kIsMade);
    if (!folder.ok()) return folder.status();
    folder_.emplace(*std::move(folder));
  }
  absl::StatusOr<Fd> file = folder_->OpenFile();
  struct stat status;
  if (!file.ok()) {
    folder_.reset();
    return file.status();
  }
  if (fstat(file->get(), &status) != 0) return absl::ErrnoToStatus(errno, "");
  file_ = *std::move(file);
  regular_ = S_ISREG(status.st_mode);
  size_ = status.st_size;
  return absl::OkStatus();
}

absl::Status RotatedFile::Write(absl::string_view text, DeliveryJournal* journal) {
  std::string marked;
  if (unmarked_ > 0) {
    marked = absl::StrCat("uring-cluster: ", unmarked_, " lines were lost here\n", text);
    text = marked;
  }
  const int64_t before = size_;
  struct stat status;
  if (journal != nullptr && regular_ && fstat(file_.get(), &status) == 0) {
    journal->Writing(status, status.st_size + static_cast<int64_t>(text.size()));
  }
  while (!text.empty()) {
    const ssize_t written = write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      // No halves of lines.
      if (regular_ && size_ > before && ftruncate(file_.get(), before) == 0) size_ = before;
      return absl::UnknownError(strerror(error));
    }
    size_ += written;
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (unmarked_ > 0) {
    LogInfo(absl::StrCat(path_, ": can be written again; ", unmarked_, " lines were lost"));
    unmarked_ = 0;
  }
  return absl::OkStatus();
}

absl::Status RotatedFile::Rotate() {
  if (folder_->Rotate(files_)) {
    file_.Reset();
    size_ = 0;
    return absl::OkStatus();
  }
  // None are kept, or a folder that cannot be changed: bounded all the same.
  if (ftruncate(file_.get(), 0) != 0) return absl::UnknownError(strerror(errno));
  size_ = 0;
  return absl::OkStatus();
}

void RotatedFile::Lose(absl::string_view text, absl::string_view why) {
  if (unmarked_ == 0) {
    LogWarning(absl::StrCat(path_, ": cannot be written: ", why,
                            "; the workers' lines are lost until it can"));
  }
  lost_ += Lines(text);
  unmarked_ += Lines(text);
}

}  // namespace uc::tools
