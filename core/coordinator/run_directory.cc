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
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/own_file.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kLookPatience = absl::Milliseconds(50);
constexpr absl::Duration kReplyAge = absl::Minutes(1);
constexpr int kRepliesMax = 256;  // that are looked at in one go

absl::Status FileError(int error, const std::string& path, absl::string_view cure) {
  // All else that had the name was removed.
  if (error == EEXIST || error == EISDIR) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a directory, and a file belongs there; move it away"));
  }
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be written (", cure, ")"));
}

// A file of our own: whatever has the name (a link, a FIFO that would hold us) goes.
absl::Status WriteSmall(const std::string& path, const std::string& text) {
  unlink(path.c_str());
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FileError(errno, path, "is the run directory writable?");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return FileError(errno, path, "is the disk full?");
  }
  return absl::OkStatus();
}

// "123\n"; "": there is no such file of ours.
std::string ReadPid(const std::string& path) {
  const absl::StatusOr<Fd> file = OpenOwnFile(AT_FDCWD, path, O_RDONLY, path);
  char text[16];
  const ssize_t size = file.ok() ? read(file->get(), text, sizeof(text)) : -1;
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

bool NamesUs(const std::string& path) { return ReadPid(path) == absl::StrCat(getpid(), "\n"); }

absl::Status AlreadyRuns(const std::string& path) {
  const std::string pid(absl::StripAsciiWhitespace(ReadPid(path + "/pid")));
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": a cluster of this name already runs", pid.empty() ? "" : " (pid ", pid,
                   pid.empty() ? "" : ")", "; choose another --name or stop it first"));
}

// A FIFO of ours that has a reader: without one it cannot be opened so (fifo(7)).
bool IsRead(const std::string& path) {
  const Fd fifo(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat status;
  return fifo.valid() && fstat(fifo.get(), &status) == 0 && S_ISFIFO(status.st_mode) &&
         status.st_uid == geteuid();
}

void RemoveEntries(const std::string& path) {
  absl::StatusOr<Fd> folder = OpenOwnFolder(path);
  DIR* const directory = folder.ok() ? fdopendir(folder->get()) : nullptr;
  if (directory == nullptr) return;
  const int fd = folder->Release();
  while (const dirent* entry = readdir(directory)) unlinkat(fd, entry->d_name, 0);
  closedir(directory);
}

}  // namespace

absl::StatusOr<RunDirectory> RunDirectory::Take(const std::string& path) {
  // Its lock's file may have been removed: a coordinator that lives reads its control pipe, too.
  const absl::Time until = MonotonicNow() + kLookPatience;
  while (IsRead(path + "/control")) {
    if (MonotonicNow() >= until) return AlreadyRuns(path);
    poll(nullptr, 0, 1);
  }
  RunDirectory taken(path);
  if (absl::Status status = taken.Lock(); !status.ok()) return status;
  return taken;
}

absl::Status RunDirectory::Lock() {
  const std::string lock_path = path_ + "/lock";
  const bool made = access(lock_path.c_str(), F_OK) != 0;
  absl::StatusOr<Fd> opened = OpenOwnFile(AT_FDCWD, lock_path, O_RDWR | O_CREAT, lock_path);
  if (!opened.ok()) return opened.status();
  Fd lock = *std::move(opened);
  // Somebody who only looks whether a coordinator lives holds the lock for an instant, shared.
  const absl::Time until = MonotonicNow() + kLookPatience;
  int locked = flock(lock.get(), LOCK_EX | LOCK_NB);
  while (locked != 0 && MonotonicNow() < until) {
    poll(nullptr, 0, 1);
    locked = flock(lock.get(), LOCK_EX | LOCK_NB);
  }
  if (locked != 0) return AlreadyRuns(path_);
  if (!Has("lock", lock)) {
    // The former owner was just removing it.
    return absl::AlreadyExistsError(
        absl::StrCat(path_, ": a cluster of this name just ends; try again"));
  }
  lock_ = std::move(lock);
  lock_made_ = lock_made_ || made;
  return absl::OkStatus();
}

absl::Status RunDirectory::Furnish() {
  absl::Status status = WriteSmall(path_ + "/pid", absl::StrCat(getpid(), "\n"));
  if (status.ok()) status = MakeFolders();
  if (!status.ok()) return status;
  RemoveEntries(path_ + "/replies");
  return MakeControl();
}

absl::Status RunDirectory::MakeFolders() {
  for (const char* name : {"/replies", "/doors"}) {
    const std::string folder = path_ + name;
    if (mkdir(folder.c_str(), 0700) == 0) {
      made_.push_back(folder);
    } else if (errno != EEXIST) {
      return FileError(errno, folder, "is the run directory writable?");
    } else if (absl::Status own = OpenOwnFolder(folder).status(); !own.ok()) {
      return own;
    }
  }
  return absl::OkStatus();
}

absl::Status RunDirectory::MakeControl() {
  const std::string path = path_ + "/control";
  unlink(path.c_str());
  if (mkfifo(path.c_str(), 0600) != 0) {
    return FileError(errno, path, "does the file system know FIFOs?");
  }
  // Read-write, so that the FIFO never reports the end of its last writer (fifo(7)).
  Fd control(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!control.valid()) return FileError(errno, path, "is the run directory ours?");
  // Under the number of before, which others know.
  if (control_.valid()) {
    UC_CHECK(dup3(control.get(), control_.get(), O_CLOEXEC) == control_.get());
  } else {
    control_ = std::move(control);
  }
  return absl::OkStatus();
}

bool RunDirectory::Has(const std::string& name, const Fd& file) const {
  struct stat held, named;
  return fstat(file.get(), &held) == 0 && lstat((path_ + "/" + name).c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

RunDirectory::Look RunDirectory::Tend() {
  struct stat status;
  const auto is_folder = [&](const char* name) {
    return lstat((path_ + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  };
  if (Has("lock", lock_) && Has("control", control_) && is_folder("/replies") &&
      is_folder("/doors") && NamesUs(path_ + "/pid")) {
    return Look::kWhole;
  }
  trouble_ = MakeAgain();
  return trouble_.ok() ? Look::kMadeAgain : Look::kLost;
}

RunDirectory::Left RunDirectory::RemoveStaleReplies(absl::Time now) const {
  const Fd folder(
      open((path_ + "/replies").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DIR* const stream = folder.valid() ? fdopendir(folder.Duplicate().Release()) : nullptr;
  if (stream == nullptr) return Left::kNone;
  int looked_at = 0;
  bool removed = false;
  for (const dirent* entry; looked_at < kRepliesMax && (entry = readdir(stream)) != nullptr;
       ++looked_at) {
    struct stat status;
    if (fstatat(folder.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISFIFO(status.st_mode) || now - absl::TimeFromTimespec(status.st_mtim) < kReplyAge) {
      continue;
    }
    // ENXIO: nobody reads there (fifo(7)).
    const Fd asker(
        openat(folder.get(), entry->d_name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (asker.valid() || errno != ENXIO) continue;
    removed = unlinkat(folder.get(), entry->d_name, 0) == 0 || removed;
  }
  closedir(stream);
  // Where none could be removed there is nothing to come back for soon.
  return looked_at == kRepliesMax && removed ? Left::kSome : Left::kNone;
}

// First the lock: into a directory that another coordinator has meanwhile taken nothing is written.
absl::Status RunDirectory::MakeAgain() {
  const std::string base = path_.substr(0, path_.rfind('/'));
  for (const std::string& folder : {base, path_}) {
    struct stat status;
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return FileError(errno, folder, "it was removed");
    }
    if (lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return absl::PermissionDeniedError(absl::StrCat(folder, ": is not ours any more"));
    }
  }
  if (!Has("lock", lock_)) {
    if (absl::Status status = Lock(); !status.ok()) return status;
  }
  absl::Status status = WriteSmall(path_ + "/pid", absl::StrCat(getpid(), "\n"));
  if (status.ok()) status = MakeFolders();
  if (status.ok() && !Has("control", control_)) status = MakeControl();
  return status;
}

RunDirectory RunDirectory::Continue(const std::string& path, Fd lock, Fd control) {
  RunDirectory continued(path);
  continued.lock_ = std::move(lock);
  continued.control_ = std::move(control);
  return continued;
}

void RunDirectory::Withdraw() {
  if (control_.valid() && Has("control", control_)) {
    unlink((path_ + "/control").c_str());
    unlink((path_ + "/pid").c_str());
  }
  for (const std::string& folder : made_) rmdir(folder.c_str());
  if (lock_made_) unlink((path_ + "/lock").c_str());
  rmdir(path_.c_str());  // unless something is in it
  lock_.Reset();
}

void RunDirectory::Remove() {
  // Another coordinator's by now, or it cannot be written.
  if (!Has("lock", lock_) && !MakeAgain().ok()) return;

  for (const char* name : {"/replies", "/doors"}) {
    RemoveEntries(path_ + name);
    rmdir((path_ + name).c_str());
  }
  for (const char* name : {"/control", "/pid", "/scoreboard", "/scoreboard.reports"})
    unlink((path_ + name).c_str());
  // The lock file goes while it is still held: who opened it before sees a dead inode at worst, and
  // makes a new one on its next try. A log in the directory keeps it alive.
  unlink((path_ + "/lock").c_str());
  rmdir(path_.c_str());
  lock_.Reset();
}

}  // namespace uc::coordinator
