#include "core/base/log_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace uc {
namespace {

constexpr int kLinksMax = 40;  // as the kernel has it (path_resolution(7))
constexpr int kOldFilesMax = 10'000;
constexpr int kFolderFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
constexpr int kFileFlags = O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kWriteFlags = kFileFlags | O_WRONLY | O_APPEND;

absl::Status Errno(int error, absl::string_view where) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat(where, where.empty() ? "" : ": ", strerror(error)));
}

absl::Status NoRights(uid_t user) {
  return absl::PermissionDeniedError(
      absl::StrCat("the folder belongs to user ", user,
                   ", and the rights of that user cannot be taken (is CAP_SETUID missing?)"));
}

bool OursOrRoots(const struct stat& status) {
  return status.st_uid == 0 || status.st_uid == geteuid();
}

// The first of the parts that `rest` begins with; "" if there is none.
std::string TakePart(std::string* rest) {
  const size_t begin = rest->find_first_not_of('/');
  if (begin == std::string::npos) return "";
  const size_t end = rest->find('/', begin);
  std::string part = rest->substr(begin, end == std::string::npos ? end : end - begin);
  rest->erase(0, end);
  return part;
}

}  // namespace

absl::StatusOr<LogFolder> LogFolder::Open(const std::string& path, Missing missing) {
  LogFolder folder;
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || path[0] != '/') {
    return absl::InvalidArgumentError("is no absolute path");
  }
  folder.name_ = path.substr(slash + 1);
  if (folder.name_.empty() || folder.name_ == "." || folder.name_ == "..") {
    return absl::InvalidArgumentError("is no name of a file");
  }
  if (absl::Status status = folder.Walk(path.substr(0, slash), missing); !status.ok()) {
    return status;
  }
  return folder;
}

absl::Status LogFolder::Walk(const std::string& path, Missing missing) {
  std::string rest = path;
  const auto begin = [this] {
    folder_.Reset(open("/", kFolderFlags | O_DIRECTORY));
    struct stat root;
    if (!folder_.valid() || fstat(folder_.get(), &root) != 0) return Errno(errno, "/");
    return LookAt(root);
  };
  if (absl::Status status = begin(); !status.ok()) return status;
  int links = 0;
  for (std::string part; !(part = TakePart(&rest)).empty();) {
    std::string link;
    if (absl::Status status = Enter(part, missing, &link); !status.ok()) return status;
    if (link.empty()) continue;
    if (++links > kLinksMax) return Errno(ELOOP, part);
    rest = absl::StrCat(link, "/", rest);
    if (link[0] != '/') continue;
    if (absl::Status status = begin(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// One part further; `link`: it is a symbolic link with this target, and we have stayed.
absl::Status LogFolder::Enter(const std::string& part, Missing missing, std::string* link) {
  const FileRights::Scope scope(rights_);
  if (!scope.ok()) return NoRights(rights_.user());
  Fd next(openat(folder_.get(), part.c_str(), kFolderFlags));
  if (!next.valid() && errno == ENOENT && missing == Missing::kIsMade) {
    if (mkdirat(folder_.get(), part.c_str(), 0700) != 0 && errno != EEXIST) {
      return Errno(errno, absl::StrCat("folder ", part));
    }
    next.Reset(openat(folder_.get(), part.c_str(), kFolderFlags));
  }
  struct stat status;
  if (!next.valid() || fstat(next.get(), &status) != 0) {
    return Errno(errno, absl::StrCat("folder ", part));
  }
  if (S_ISLNK(status.st_mode)) {
    // Another user could have put it there, and ours would be the rights that follow it.
    if (rights_.ours() && !OursOrRoots(status)) {
      return absl::PermissionDeniedError(
          absl::StrCat("folder ", part, " is a symbolic link of user ", status.st_uid));
    }
    char target[PATH_MAX];
    const ssize_t size = readlinkat(next.get(), "", target, sizeof(target));
    if (size <= 0) return Errno(size < 0 ? errno : ENOENT, part);
    link->assign(target, static_cast<size_t>(size));
    return absl::OkStatus();
  }
  if (!S_ISDIR(status.st_mode)) return Errno(ENOTDIR, part);
  folder_ = std::move(next);
  return LookAt(status);
}

absl::Status LogFolder::LookAt(const struct stat& folder) {
  const bool others_write = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!OursOrRoots(folder) && rights_.ours() && geteuid() == 0) {
    rights_ = FileRights::Of(folder.st_uid);  // for all that is below
  }
  const bool foreign = !OursOrRoots(folder) && folder.st_uid != rights_.user();
  if (rights_.ours() && (folder.st_mode & S_IWOTH) != 0 && (folder.st_mode & S_ISVTX) == 0) {
    return absl::PermissionDeniedError(
        "everyone may replace files there (chmod o-w the folder, or choose another one)");
  }
  changed_by_ = others_write || foreign ? ChangedBy::kOthers : ChangedBy::kNobodyElse;
  return absl::OkStatus();
}

absl::StatusOr<Fd> LogFolder::OpenFile() const { return OpenWith(name_, kWriteFlags | O_CREAT); }

absl::StatusOr<Fd> LogFolder::OpenToRead(int number) const {
  return OpenWith(number == 0 ? name_ : Old(number), kFileFlags | O_RDONLY);
}

absl::StatusOr<Fd> LogFolder::OpenWith(const std::string& name, int flags) const {
  const FileRights::Scope scope(rights_);
  if (!scope.ok()) return NoRights(rights_.user());
  Fd file(openat(folder_.get(), name.c_str(), flags, 0600));
  if (!file.valid() && errno == ELOOP) {
    return absl::FailedPreconditionError("is a symbolic link, and those are not followed here");
  }
  if (!file.valid()) return Errno(errno, "");
  if (absl::Status status = Check(file); !status.ok()) return status;
  return file;
}

absl::Status LogFolder::Check(const Fd& file) const {
  struct stat status;
  if (fstat(file.get(), &status) != 0) return Errno(errno, "");
  const bool expected = status.st_uid == rights_.user() || status.st_uid == 0;
  const bool trusted = rights_.ours() && changed_by_ == ChangedBy::kNobodyElse;
  if (!trusted && !expected) {
    return absl::PermissionDeniedError(absl::StrCat("belongs to user ", status.st_uid,
                                                    ", in a folder that others than we may write"));
  }
  if (S_ISREG(status.st_mode)) {
    if (status.st_nlink <= 1) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("has ", status.st_nlink, " names (hard links), a log file has one"));
  }
  const bool stream = S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
  if (stream && rights_.ours()) return absl::OkStatus();
  return absl::FailedPreconditionError("is no regular file");
}

bool LogFolder::Rotate(int files) const {
  const FileRights::Scope scope(rights_);
  if (!scope.ok()) return false;
  const int folder = folder_.get();
  for (int number = files; number > 1; --number) {
    // Most of them are not there.
    renameat(folder, Old(number - 1).c_str(), folder, Old(number).c_str());
  }
  return files > 0 && renameat(folder, name_.c_str(), folder, Old(1).c_str()) == 0;
}

absl::Status LogFolder::Empty() const {
  const absl::StatusOr<Fd> file = OpenWith(name_, kWriteFlags);
  if (!file.ok()) return file.status();
  const FileRights::Scope scope(rights_);
  if (!scope.ok()) return NoRights(rights_.user());
  if (ftruncate(file->get(), 0) != 0) return Errno(errno, "");
  for (int number = 1; number < kOldFilesMax; ++number) {
    if (unlinkat(folder_.get(), Old(number).c_str(), 0) != 0) break;
  }
  return absl::OkStatus();
}

bool LogFolder::Names(const struct stat& file) const {
  const FileRights::Scope scope(rights_);
  struct stat named;
  return scope.ok() && fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_dev == file.st_dev && named.st_ino == file.st_ino;
}

std::string LogFolder::Old(int number) const { return absl::StrCat(name_, ".", number); }

}  // namespace uc
