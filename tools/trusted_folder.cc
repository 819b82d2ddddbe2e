#include "tools/trusted_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/own_file.h"

namespace uc::tools {
namespace {

constexpr int kLinksMax = 40;  // as many as the kernel follows (path_resolution(7))
constexpr size_t kLineBytesMax = 64;

absl::Status FolderError(int error, const std::string& path) {
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": is not there"));
  if (error == ENOTDIR || error == ELOOP) {
    return absl::PermissionDeniedError(
        absl::StrCat(path,
                     ": cannot be read: it is no directory, or a symbolic link; remove it or "
                     "choose another --run-dir"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(path, ": cannot be read: ", strerror(error),
                   "; whose clusters are these? choose another --run-dir"));
}

absl::Status Unmade(int error, const std::string& path) {
  return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be made: ", strerror(error),
                                                  "; choose a --run-dir that you may write"));
}

absl::Status CheckOwnFolder(const struct stat& status, const std::string& path) {
  if (status.st_uid != geteuid()) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": belongs to user ", status.st_uid, "; choose another --run-dir"));
  }
  if (status.st_mode & (S_IWGRP | S_IWOTH)) {
    return absl::PermissionDeniedError(absl::StrCat(
        path, ": others may write there (chmod go-w it, or choose another --run-dir)"));
  }
  return absl::OkStatus();
}

// From "/" (or where we are) to the folder that the last name lies in, one name at a time.
class Walk {
 public:
  enum class Missing { kStays, kLastIsMade, kAllAreMade };

  explicit Walk(const std::string& path, Missing missing = Missing::kStays)
      : path_(path), missing_(missing) {
    std::string absolute = path;
    char here[PATH_MAX];
    if (path.empty() || path[0] != '/') {
      if (getcwd(here, sizeof(here)) == nullptr) here[0] = '\0';
      absolute = absl::StrCat(here, "/", path);
    }
    Push(absolute);
    struct stat root;
    if (stat("/", &root) == 0) root_owner_ = root.st_uid;
  }

  // The folder itself; not yet checked.
  absl::StatusOr<Fd> Go() {
    if (absl::Status status = EnterRoot(); !status.ok()) return status;
    if (names_.empty()) names_.push_back(".");
    while (names_.size() > 1) {
      const std::string name = names_.front();
      names_.pop_front();
      if (absl::Status status = Enter(name); !status.ok()) return status;
    }
    constexpr int kHow = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    Fd folder(openat(at_.get(), names_.front().c_str(), kHow));
    if (!folder.valid() && errno == ENOENT && missing_ != Missing::kStays) {
      if (absl::Status status = MakeHere(names_.front()); !status.ok()) return status;
      folder.Reset(openat(at_.get(), names_.front().c_str(), kHow));
    }
    if (!folder.valid()) return FolderError(errno, path_);
    return folder;
  }

 private:
  void Push(absl::string_view path) {
    const std::vector<std::string> names = absl::StrSplit(path, '/', absl::SkipEmpty());
    names_.insert(names_.begin(), names.begin(), names.end());
  }
  bool Trusted(uid_t owner) const {
    return owner == 0 || owner == geteuid() || owner == root_owner_;
  }

  absl::Status EnterRoot() {
    at_.Reset(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return at_.valid() ? absl::OkStatus() : FolderError(errno, path_);
  }

  // In a folder that was checked. Somebody else may be quicker: what is there then is checked as anything else.
  absl::Status MakeHere(const std::string& name) {
    if (mkdirat(at_.get(), name.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
    return Unmade(errno, path_);
  }

  absl::Status Enter(const std::string& name) {
    constexpr int kHow = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    Fd next(openat(at_.get(), name.c_str(), kHow));
    if (!next.valid() && errno == ENOENT && missing_ != Missing::kStays) {
      if (missing_ == Missing::kLastIsMade) return Unmade(ENOENT, path_);
      if (absl::Status made = MakeHere(name); !made.ok()) return made;
      next.Reset(openat(at_.get(), name.c_str(), kHow));
    }
    struct stat status;
    if (!next.valid() || fstat(next.get(), &status) != 0) return FolderError(errno, path_);
    if (!Trusted(status.st_uid)) {
      return absl::PermissionDeniedError(
          absl::StrCat(path_, ": is reached through '", name, "' of user ", status.st_uid,
                       ", who could put another folder in its place; choose another --run-dir"));
    }
    if (S_ISLNK(status.st_mode)) return Follow(next);
    if (!S_ISDIR(status.st_mode)) return FolderError(ENOTDIR, path_);
    if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
      return absl::PermissionDeniedError(
          absl::StrCat(path_, ": is reached through '", name,
                       "', where everybody may put another folder in its place (chmod o-w or +t "
                       "it, or choose another --run-dir)"));
    }
    at_ = std::move(next);
    return absl::OkStatus();
  }

  absl::Status Follow(const Fd& link) {
    char target[PATH_MAX];
    const ssize_t size = readlinkat(link.get(), "", target, sizeof(target));
    if (size <= 0 || size == sizeof(target) || ++links_ > kLinksMax) {
      return FolderError(ELOOP, path_);
    }
    const absl::string_view text(target, static_cast<size_t>(size));
    Push(text);
    return text[0] == '/' ? EnterRoot() : absl::OkStatus();
  }

  const std::string& path_;
  const Missing missing_;
  std::deque<std::string> names_;  // still to be gone through
  Fd at_;
  int links_ = 0;
  uid_t root_owner_ = 0;
};

}  // namespace

std::pair<std::string, std::string> SplitPath(const std::string& path) {
  std::string plain = path;
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  const size_t slash = plain.rfind('/');
  if (slash == std::string::npos) return {".", plain};
  return {slash == 0 ? "/" : plain.substr(0, slash), plain.substr(slash + 1)};
}

absl::StatusOr<TrustedFolder> TrustedFolder::Checked(std::string path, absl::StatusOr<Fd> fd) {
  if (!fd.ok()) return fd.status();
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return FolderError(errno, path);
  if (absl::Status checked = CheckOwnFolder(status, path); !checked.ok()) return checked;
  return TrustedFolder(std::move(path), *std::move(fd));
}

absl::StatusOr<TrustedFolder> TrustedFolder::Open(const std::string& path) {
  return Checked(path, Walk(path).Go());
}

absl::StatusOr<TrustedFolder> TrustedFolder::Make(const std::string& path, Making making) {
  return Checked(path, Walk(path, making == Making::kFolder ? Walk::Missing::kLastIsMade
                                                            : Walk::Missing::kAllAreMade)
                           .Go());
}

absl::StatusOr<TrustedFolder> TrustedFolder::OpenCluster(const std::string& directory) {
  const auto [base, name] = SplitPath(directory);
  const absl::StatusOr<TrustedFolder> folder = Open(base);
  return folder.ok() ? folder->OpenBelow(name) : folder.status();
}

absl::StatusOr<TrustedFolder> TrustedFolder::OpenBelow(const std::string& name) const {
  const std::string path = absl::StrCat(path_, "/", name);
  Fd fd(openat(fd_.get(), name.c_str(),
               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return FolderError(errno, path);
  return Checked(path, std::move(fd));
}

absl::StatusOr<TrustedFolder> TrustedFolder::MakeBelow(const std::string& name) const {
  if (mkdirat(fd_.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return Unmade(errno, absl::StrCat(path_, "/", name));
  }
  return OpenBelow(name);
}

absl::StatusOr<Fd> TrustedFolder::OpenFile(const std::string& name, int flags) const {
  return OpenOwnFile(fd_.get(), name, flags, absl::StrCat(path_, "/", name));
}

Fd TrustedFolder::OpenFifo(const std::string& name, int flags) const {
  Fd fd(openat(fd_.get(), name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status;
  if (fd.valid() &&
      (fstat(fd.get(), &status) != 0 || !S_ISFIFO(status.st_mode) || status.st_uid != geteuid())) {
    fd.Reset();
    errno = ENOTSUP;
  }
  return fd;
}

std::string TrustedFolder::ReadLine(const std::string& name) const {
  const absl::StatusOr<Fd> file = OpenFile(name, O_RDONLY);
  char text[kLineBytesMax];
  const ssize_t size = file.ok() ? read(file->get(), text, sizeof(text)) : 0;
  return size <= 0 ? ""
                   : std::string(absl::StripAsciiWhitespace(
                         absl::string_view(text, static_cast<size_t>(size))));
}

std::vector<std::string> TrustedFolder::Names() const {
  std::vector<std::string> names;
  // A descriptor of its own: the stream closes it, and reads from its own place.
  Fd again(openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* stream = again.valid() ? fdopendir(again.get()) : nullptr;
  if (stream == nullptr) return names;
  [[maybe_unused]] const int owned_by_stream = again.Release();
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(stream);
  return names;
}

void TrustedFolder::RemoveFile(const std::string& name) const {
  unlinkat(fd_.get(), name.c_str(), 0);
}

std::string TrustedFolder::pinned_path() const { return absl::StrCat("/proc/self/fd/", fd_.get()); }

}  // namespace uc::tools
