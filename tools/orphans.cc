#include "tools/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/coordinator/former_workers.h"
#include "core/scoreboard/scoreboard.h"
#include "tools/record.h"

namespace uc::tools {
namespace {

constexpr absl::Duration kOrphanPatience = absl::Seconds(10);

absl::StatusOr<std::vector<coordinator::Survivor>> FindOrphans(const std::string& directory) {
  const auto board = scoreboard::Scoreboard::OpenReadOnly(directory + "/scoreboard");
  if (absl::IsNotFound(board.status())) return std::vector<coordinator::Survivor>();
  if (!board.ok()) return board.status();
  return coordinator::FindSurvivors(directory, board->layout());
}

// True when all of them have ended by then.
bool AwaitEnd(const std::vector<coordinator::Survivor>& orphans, absl::Time until) {
  for (const coordinator::Survivor& orphan : orphans) {
    pollfd watch = {orphan.pidfd.get(), POLLIN, 0};
    const int64_t left = std::max<int64_t>(0, absl::ToInt64Milliseconds(until - MonotonicNow()));
    if (poll(&watch, 1, static_cast<int>(left)) != 1) return false;
  }
  return true;
}

// Returns how many were still there to be signalled.
int SignalAll(const std::vector<coordinator::Survivor>& orphans, int signal) {
  int reached = 0;
  for (const coordinator::Survivor& orphan : orphans) {
    pollfd watch = {orphan.pidfd.get(), POLLIN, 0};
    if (poll(&watch, 1, 0) == 1) continue;
    if (syscall(SYS_pidfd_send_signal, orphan.pidfd.get(), signal, nullptr, 0) == 0) ++reached;
  }
  return reached;
}

// What a coordinator leaves behind when it dies. Its log stays, and what it was told if it can be started again.
void RemoveRemains(const std::string& directory) {
  const absl::StatusOr<ClusterRecord> record = ReadRecord(directory);
  if (record.ok() && !record->background) RemoveRecord(directory);
  if (const Fd wake(open((directory + "/output/wake").c_str(),
                         O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
      wake.valid()) {
    [[maybe_unused]] const ssize_t written = write(wake.get(), "quit\n", 5);
  }
  for (const char* name : {"/replies", "/doors", "/output"}) {
    const std::string folder = directory + name;
    if (DIR* entries = opendir(folder.c_str()); entries != nullptr) {
      while (const dirent* entry = readdir(entries)) unlinkat(dirfd(entries), entry->d_name, 0);
      closedir(entries);
    }
    rmdir(folder.c_str());
  }
  for (const char* name : {"/control", "/pid", "/scoreboard", "/scoreboard.new", "/lock"}) {
    unlink((directory + name).c_str());
  }
  rmdir(directory.c_str());
}

}  // namespace

int CountOrphans(const std::string& directory) {
  const absl::StatusOr<std::vector<coordinator::Survivor>> orphans = FindOrphans(directory);
  return orphans.ok() ? static_cast<int>(orphans->size()) : 0;
}

absl::StatusOr<int> EndOrphans(const std::string& directory, OrphanEnd how, int* killed) {
  // Held until all is removed: a new coordinator cannot begin in the midst of it.
  const std::string lock_path = directory + "/lock";
  const Fd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return absl::ErrnoToStatus(errno, lock_path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": a new coordinator is just beginning here; try again"));
  }
  const absl::StatusOr<std::vector<coordinator::Survivor>> orphans = FindOrphans(directory);
  if (!orphans.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(orphans.status().message(), "; which workers are left is not known: end them",
                     " and remove ", directory));
  }
  bool ended = false;
  int forced = 0;
  if (how == OrphanEnd::kAsked) {
    SignalAll(*orphans, SIGTERM);
    ended = AwaitEnd(*orphans, MonotonicNow() + kOrphanPatience);
  }
  if (!ended) {
    forced = SignalAll(*orphans, SIGKILL);
    if (!AwaitEnd(*orphans, MonotonicNow() + kOrphanPatience)) {
      return absl::DeadlineExceededError("workers did not end even by SIGKILL");
    }
  }
  if (killed != nullptr) *killed = forced;
  RemoveRemains(directory);
  return static_cast<int>(orphans->size());
}

}  // namespace uc::tools
