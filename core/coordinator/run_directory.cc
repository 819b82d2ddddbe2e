#include "core/coordinator/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/small_file.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kLookPatience = absl::Milliseconds(50);

absl::Status FileError(int error, const std::string& path, absl::string_view cure) {
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be written (", cure, ")"));
}

absl::Status WriteSmall(const std::string& path, const std::string& text) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FileError(errno, path, "is the run directory writable?");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return FileError(errno, path, "is the disk full?");
  }
  return absl::OkStatus();
}

void RemoveEntries(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") unlink(absl::StrCat(path, "/", name).c_str());
  }
  closedir(directory);
}

}  // namespace

absl::StatusOr<RunDirectory> RunDirectory::Take(const std::string& path) {
  RunDirectory taken(path);
  const std::string lock_path = path + "/lock";
  taken.lock_.Reset(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!taken.lock_.valid()) return FileError(errno, lock_path, "choose another --run-dir");
  // Somebody who only looks whether a coordinator lives holds the lock for an instant, shared.
  const absl::Time until = MonotonicNow() + kLookPatience;
  int locked = flock(taken.lock_.get(), LOCK_EX | LOCK_NB);
  while (locked != 0 && MonotonicNow() < until) {
    poll(nullptr, 0, 1);
    locked = flock(taken.lock_.get(), LOCK_EX | LOCK_NB);
  }
  if (locked != 0) {
    const std::string pid = ReadSmallFile(path + "/pid");
    return absl::AlreadyExistsError(
        absl::StrCat(path, ": a cluster of this name already runs", pid.empty() ? "" : " (pid ",
                     pid, pid.empty() ? "" : ")", "; choose another --name or stop it first"));
  }
  struct stat held, named;
  if (fstat(taken.lock_.get(), &held) != 0 || stat(lock_path.c_str(), &named) != 0 ||
      held.st_ino != named.st_ino) {
    // The former owner was just removing it.
    return absl::AlreadyExistsError(
        absl::StrCat(path, ": a cluster of this name just ends; try again"));
  }
  if (absl::Status status = WriteSmall(path + "/pid", absl::StrCat(getpid(), "\n")); !status.ok()) {
    return status;
  }
  for (const char* name : {"/replies", "/doors"}) {
    const std::string folder = path + name;
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return FileError(errno, folder, "is the run directory writable?");
    }
  }
  RemoveEntries(path + "/replies");
  const std::string control_path = path + "/control";
  unlink(control_path.c_str());
  if (mkfifo(control_path.c_str(), 0600) != 0) {
    return FileError(errno, control_path, "does the file system know FIFOs?");
  }
  // Read-write, so that the FIFO never reports the end of its last writer (fifo(7)).
  taken.control_.Reset(open(control_path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!taken.control_.valid()) return FileError(errno, control_path, "is the run directory ours?");
  return taken;
}

RunDirectory RunDirectory::Continue(const std::string& path, Fd lock, Fd control) {
  RunDirectory continued(path);
  continued.lock_ = std::move(lock);
  continued.control_ = std::move(control);
  return continued;
}

void RunDirectory::Remove() {
  for (const char* name : {"/replies", "/doors"}) {
    RemoveEntries(path_ + name);
    rmdir((path_ + name).c_str());
  }
  for (const char* name : {"/control", "/pid", "/scoreboard"}) unlink((path_ + name).c_str());
  // The lock file goes while it is still held: who opened it before sees a dead inode at worst, and
  // makes a new one on its next try. A log in the directory keeps it alive.
  unlink((path_ + "/lock").c_str());
  rmdir(path_.c_str());
  lock_.Reset();
}

}  // namespace uc::coordinator
