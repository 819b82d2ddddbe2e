#include "core/app/document_root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace uc::app {
namespace {

// O_NONBLOCK: opening a FIFO must not wait for its writer; a regular file does not notice.
constexpr int kLookFlags = O_PATH | O_CLOEXEC;
constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
constexpr int kRaceRetriesMax = 8;

int OpenBeneath(int root, const char* name, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int fd = -1;
  int retries = 0;
  do {
    // EAGAIN: a rename elsewhere kept the kernel from being sure about a ".." in a link (openat2(2)).
    fd = static_cast<int>(syscall(SYS_openat2, root, name, &how, sizeof(how)));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++retries < kRaceRetriesMax);
  return fd;
}

int OpenWalking(int root, std::string_view relative, int flags) {
  Fd directory;
  int at = root;
  size_t begin = 0;
  for (size_t slash; (slash = relative.find('/', begin)) != std::string_view::npos;
       begin = slash + 1) {
    const std::string segment(relative.substr(begin, slash - begin));
    const int next = openat(at, segment.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) return -1;
    directory.Reset(next);
    at = next;
  }
  const std::string last(relative.substr(begin));
  return openat(at, last.c_str(), flags | O_NOFOLLOW);
}

Document::Found Explain(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return Document::Found::kForbidden;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
      return Document::Found::kExhausted;
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EXDEV:  // out of the root (openat2(2))
    case ELOOP:  // too many links, or one where none is followed
    case ENXIO:  // a socket
    case ENODEV:
      return Document::Found::kMissing;
    default:
      return Document::Found::kFailed;
  }
}

Fd OwnDescriptors() {
  Fd directory(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct statfs system = {};
  if (directory.valid() && (fstatfs(directory.get(), &system) != 0 ||
                            static_cast<uint64_t>(system.f_type) != PROC_SUPER_MAGIC)) {
    directory.Reset();
  }
  return directory;
}

absl::Status Refuse(const std::string& directory, int error) {
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(absl::StrCat("static: ", directory, ": no such directory"));
    case ENOTDIR:
      return absl::InvalidArgumentError(absl::StrCat("static: ", directory, ": not a directory"));
    case EACCES:
      return absl::PermissionDeniedError(absl::StrCat(
          "static: ", directory, ": permission denied (it and its parents need x for this user)"));
    default:
      return absl::ErrnoToStatus(error, absl::StrCat("static: ", directory));
  }
}

}  // namespace

absl::StatusOr<DocumentRoot> DocumentRoot::Open(const std::string& directory) {
  Fd root(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Refuse(directory, errno);
  if (faccessat(root.get(), ".", X_OK, AT_EACCESS) != 0) return Refuse(directory, errno);
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  Fd probe(static_cast<int>(syscall(SYS_openat2, root.get(), ".", &how, sizeof(how))));
  // ENOSYS before Linux 5.6; old seccomp profiles answer EPERM to calls that they do not know.
  const bool refused = !probe.valid() && (errno == ENOSYS || errno == EPERM);
  probe.Reset();
  return DocumentRoot(std::move(root), OwnDescriptors(),
                      refused ? Resolution::kWalk : Resolution::kBeneath);
}

Fd DocumentRoot::OpenForReading(Fd place) const {
  if (opening() == Opening::kAtOnce) return place;  // it is open
  char number[12];
  snprintf(number, sizeof(number), "%d", place.get());
  int fd = -1;
  int retries = 0;
  do {
    fd = openat(own_descriptors_.get(), number, kReadFlags);
  } while (fd < 0 && errno == EINTR && ++retries < kRaceRetriesMax);
  return Fd(fd);
}

Document DocumentRoot::Find(const std::string& relative) const {
  const char* const name = relative.empty() ? "." : relative.c_str();
  const int flags = opening() == Opening::kAfterALook ? kLookFlags : kReadFlags;
  Fd place;
  switch (resolution_) {
    case Resolution::kBeneath:
      place.Reset(OpenBeneath(root_.get(), name, flags));
      break;
    case Resolution::kWalk:
      place.Reset(OpenWalking(root_.get(), name, flags));
      break;
  }
  Document document;
  struct stat facts = {};
  if (!place.valid() || fstat(place.get(), &facts) != 0) {
    document.found = Explain(errno);
    return document;
  }
  if (S_ISDIR(facts.st_mode)) {
    const bool open = faccessat(place.get(), ".", X_OK, AT_EACCESS) == 0;
    document.found = open ? Document::Found::kDirectory : Explain(errno);
  } else if (S_ISREG(facts.st_mode)) {
    document.fd = OpenForReading(std::move(place));
    document.found = document.fd.valid() ? Document::Found::kFile : Explain(errno);
    document.size = static_cast<uint64_t>(facts.st_size);
    document.modified = absl::TimeFromTimespec(facts.st_mtim);
  }
  return document;
}

}  // namespace uc::app
