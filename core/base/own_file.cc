#include "core/base/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace uc {
namespace {

absl::Status NotOpened(int error, const std::string& path) {
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": is missing"));
  if (error == ELOOP) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a symbolic link; remove it"));
  }
  if (error == EISDIR) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a directory, no regular file; move it away"));
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be opened: ", strerror(error)));
}

absl::Status CheckOwn(const struct stat& status, const std::string& path) {
  if (status.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": belongs to user ", status.st_uid,
                                                    "; remove it, or chown it to user ", geteuid(),
                                                    " if you trust what is in it"));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": others may write it; chmod go-w it if you trust what is in it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Fd> OpenOwnFile(int folder, const std::string& name, int flags,
                               const std::string& path) {
  // O_NONBLOCK: a FIFO must not keep us; on a regular file it means nothing.
  Fd fd(openat(folder, name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return NotOpened(errno, path);
  if (S_ISDIR(status.st_mode)) return NotOpened(EISDIR, path);
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no regular file; remove it"));
  }
  if (absl::Status own = CheckOwn(status, path); !own.ok()) return own;
  return fd;
}

absl::StatusOr<Fd> OpenOwnFolder(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    // A link is no directory to open(2), either.
    if (errno == ENOTDIR || errno == ELOOP) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is no directory, or a symbolic link; remove it"));
    }
    return NotOpened(errno, path);
  }
  if (absl::Status own = CheckOwn(status, path); !own.ok()) return own;
  return fd;
}

}  // namespace uc
