#include "core/base/own_log.h"

#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"

namespace uc {
namespace {

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

OwnLog::OwnLog(std::string path, LogLimits limits) : path_(std::move(path)), limits_(limits) {}

absl::Status OwnLog::Open() {
  if (path_.empty()) return absl::OkStatus();
  absl::StatusOr<LogFolder> folder = LogFolder::Open(path_, LogFolder::Missing::kIsAnError);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<Fd> file = folder->OpenFile();
  if (!file.ok()) return file.status();
  struct stat out, err;
  const bool both = fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
                    S_ISREG(err.st_mode) && SameFile(out, err);
  dup2(file->get(), STDERR_FILENO);
  if (both) dup2(file->get(), STDOUT_FILENO);
  folder_.emplace(*std::move(folder));
  return absl::OkStatus();
}

bool OwnLog::Tend() {
  if (path_.empty()) return false;
  struct stat status;
  if (fstat(STDERR_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (!folder_.has_value()) {  // we have inherited stderr
    absl::StatusOr<LogFolder> folder = LogFolder::Open(path_, LogFolder::Missing::kIsAnError);
    if (!folder.ok()) return false;
    folder_.emplace(*std::move(folder));
  }
  // A name that stands for nothing, while it is rotated, is opened at the next look if it still does.
  if (!folder_->Names(status)) return Open().ok();
  return status.st_size >= limits_.size_max && Rotate();
}

bool OwnLog::Rotate() {
  // An open file of its own: a lock belongs to that, and our stderr may be shared with those who shall not have it.
  const absl::StatusOr<Fd> file = folder_->OpenFile();
  struct stat status;
  if (!file.ok() || fstat(file->get(), &status) != 0) return false;
  if (flock(file->get(), LOCK_EX | LOCK_NB) != 0) return false;
  if (!folder_->Names(status) || status.st_size < limits_.size_max) return false;  // it was done
  if (!folder_->Rotate(limits_.files)) {
    // None are kept, or the folder cannot be changed: bounded all the same.
    [[maybe_unused]] const int emptied = ftruncate(file->get(), 0);
    return false;
  }
  return Open().ok();
}

}  // namespace uc
