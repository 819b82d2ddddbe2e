#include "core/coordinator/file_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/log.h"

namespace uc::coordinator {
namespace {

constexpr size_t kDirectoriesMax = 4096;
// A program that writes into what is watched must not put it off for ever.
constexpr int kDelaysMax = 10;
constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

}  // namespace

absl::StatusOr<FileWatch> FileWatch::Begin(const WatchOptions& options) {
  struct stat info;
  if (stat(options.path.c_str(), &info) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--watch: ", options.path, ": ", strerror(errno)));
  }
  Fd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.valid()) {
    // inotify_init(2): EMFILE is the user's instances as well as the process's descriptors.
    return absl::FailedPreconditionError(absl::StrCat(
        "--watch: inotify: ", strerror(errno),
        errno == EMFILE ? " (raise fs.inotify.max_user_instances, or ulimit -n)" : ""));
  }
  FileWatch watch(std::move(inotify), options);
  if (S_ISDIR(info.st_mode)) {
    watch.directory_ = absl::StrCat(absl::StripSuffix(options.path, "/"), "/");
  } else {
    // Editors and linkers put a new file in its place: only the directory sees that.
    const size_t slash = options.path.rfind('/');
    watch.directory_ = slash == std::string::npos ? "./" : options.path.substr(0, slash + 1);
    watch.only_ = slash == std::string::npos ? options.path : options.path.substr(slash + 1);
  }
  if (absl::Status status = watch.AddDirectory(""); !status.ok()) return status;
  return watch;
}

absl::Status FileWatch::AddDirectory(const std::string& below) {
  const std::string path = directory_ + below;
  if (watched_.size() >= kDirectoriesMax) {
    return absl::FailedPreconditionError(absl::StrCat("--watch: ", directory_, " has more than ",
                                                      kDirectoriesMax,
                                                      " directories; leave some out by "
                                                      "--ignore-watch"));
  }
  const int watch = inotify_add_watch(inotify_.get(), path.c_str(), kChanges | IN_ONLYDIR);
  if (watch < 0) {
    if (!below.empty() && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) {
      return absl::OkStatus();  // it has gone already, or is nobody's business
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "--watch: ", path, ": ", strerror(errno),
        errno == ENOSPC ? " (raise fs.inotify.max_user_watches, or use --ignore-watch)" : ""));
  }
  watched_[watch] = below;
  if (!only_.empty()) return absl::OkStatus();
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return absl::OkStatus();
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(directory)) {
    const bool is_directory = entry->d_type == DT_DIR;  // links are not followed
    if (is_directory && !Ignores(below, entry->d_name)) names.push_back(entry->d_name);
  }
  closedir(directory);
  for (const std::string& name : names) {
    if (absl::Status status = AddDirectory(absl::StrCat(below, name, "/")); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

bool FileWatch::Ignores(absl::string_view below, absl::string_view name) const {
  if (absl::StartsWith(name, ".") || name == "node_modules") return true;
  const std::string own(name), path = absl::StrCat(below, name);
  return std::any_of(
      options_.ignored.begin(), options_.ignored.end(), [&](const std::string& pattern) {
        const std::string bare(absl::StripSuffix(pattern, "/"));
        return fnmatch(bare.c_str(), own.c_str(), 0) == 0 ||
               fnmatch(bare.c_str(), path.c_str(), 0) == 0 || absl::StartsWith(path, bare + "/");
      });
}

void FileWatch::OnReadable(absl::Time now) {
  alignas(inotify_event) char buffer[16 * 1024];
  for (ssize_t size; (size = read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (char* at = buffer; at < buffer + size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) Changed(now, "too much to name");
      const auto watched = watched_.find(event->wd);
      if (watched == watched_.end()) continue;
      const std::string below = watched->second;
      if ((event->mask & IN_IGNORED) != 0) {
        watched_.erase(watched);
        continue;
      }
      const std::string name(event->len > 0 ? event->name : "");
      if (name.empty() || (only_.empty() ? Ignores(below, name) : name != only_)) continue;
      const bool arrives = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
      if (arrives && (event->mask & IN_ISDIR) != 0) {
        const absl::Status status = AddDirectory(absl::StrCat(below, name, "/"));
        if (!status.ok()) LogWarning(status.message());
      }
      // A file that was only made is written yet.
      const bool made = (event->mask & (IN_CREATE | IN_ISDIR)) == IN_CREATE;
      if (!made || !only_.empty()) Changed(now, below + name);
    }
  }
}

void FileWatch::Changed(absl::Time now, std::string what) {
  last_change_ = std::move(what);
  first_change_ = std::min(first_change_, now);
  due_ = std::min(now + options_.delay, first_change_ + kDelaysMax * options_.delay);
}

std::string FileWatch::Take() {
  due_ = first_change_ = absl::InfiniteFuture();
  return std::exchange(last_change_, "");
}

}  // namespace uc::coordinator
