#include "tools/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr size_t kMebibyte = 1 << 20;

absl::StatusOr<std::string> ReadAll(const Fd& file, const std::string& path, size_t bytes_max) {
  const auto unreadable = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", why));
  };
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t size = read(file.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreadable(strerror(errno));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > bytes_max) {
      return unreadable(bytes_max % kMebibyte == 0
                            ? absl::StrCat("larger than ", bytes_max / kMebibyte, " MiB")
                            : absl::StrCat("larger than ", bytes_max, " bytes"));
    }
  }
}

// `folder`: AT_FDCWD for a path of its own.
absl::Status Replace(int folder, const std::string& name, const std::string& path,
                     absl::string_view text) {
  const std::string fresh = absl::StrCat(name, ".", getpid(), ".new");
  const auto failed = [&](int error) {
    unlinkat(folder, fresh.c_str(), 0);
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": cannot be written: ", strerror(error)));
  };
  unlinkat(folder, fresh.c_str(), 0);  // of a process that had our number and died
  const Fd file(
      openat(folder, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed(errno);
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (renameat(folder, fresh.c_str(), folder, name.c_str()) != 0) return failed(errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t bytes_max) {
  // Standard input is read as it was given to us: to open it anew takes rights that we may not have, and a socket cannot
  // be opened at all.
  const Fd file(path == "/dev/stdin" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                     : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat(path, ": is not there"));
  }
  if (!file.valid()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", strerror(errno)));
  }
  return ReadAll(file, path, bytes_max);
}

absl::StatusOr<std::string> ReadTextFile(const TrustedFolder& folder, const std::string& name,
                                         size_t bytes_max) {
  const absl::StatusOr<Fd> file = folder.OpenFile(name, O_RDONLY);
  if (!file.ok()) return file.status();
  return ReadAll(*file, absl::StrCat(folder.path(), "/", name), bytes_max);
}

absl::Status ReplaceTextFile(const std::string& path, absl::string_view text) {
  return Replace(AT_FDCWD, path, path, text);
}

absl::Status ReplaceTextFile(const TrustedFolder& folder, const std::string& name,
                             absl::string_view text) {
  return Replace(folder.fd(), name, absl::StrCat(folder.path(), "/", name), text);
}

}  // namespace uc::tools
