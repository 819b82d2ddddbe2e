#include "tools/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/fd.h"

namespace uc::tools {
namespace {

constexpr size_t kMebibyte = 1 << 20;

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t bytes_max) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat(path, ": is not there"));
  }
  const auto unreadable = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", why));
  };
  if (!file.valid()) return unreadable(strerror(errno));
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

absl::Status ReplaceTextFile(const std::string& path, absl::string_view text) {
  const std::string fresh = absl::StrCat(path, ".", getpid(), ".new");
  const auto failed = [&](int error) {
    unlink(fresh.c_str());
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": cannot be written: ", strerror(error)));
  };
  const Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed(errno);
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return failed(errno);
  return absl::OkStatus();
}

}  // namespace uc::tools
