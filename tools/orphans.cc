#include "tools/orphans.h"

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
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr absl::Duration kOrphanPatience = absl::Seconds(10);

absl::StatusOr<std::vector<coordinator::Survivor>> FindOrphans(const TrustedFolder& folder) {
  absl::StatusOr<Fd> file = folder.OpenFile("scoreboard", O_RDONLY);
  if (absl::IsNotFound(file.status())) return std::vector<coordinator::Survivor>();
  if (!file.ok()) return file.status();
  const auto board =
      scoreboard::Scoreboard::OpenReadOnly(*std::move(file), folder.path() + "/scoreboard");
  if (!board.ok()) return board.status();
  return coordinator::FindSurvivors(folder.pinned_path(), board->layout());
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
void RemoveRemains(const TrustedFolder& cluster) {
  const absl::StatusOr<ClusterRecord> record = ReadRecord(cluster.path());
  if (record.ok() && !record->background) RemoveRecord(cluster.path());
  for (const char* name : {"replies", "doors", "output"}) {
    // What is no folder of ours is not looked into.
    const absl::StatusOr<TrustedFolder> folder = cluster.OpenBelow(name);
    if (!folder.ok()) continue;
    if (const Fd wake = folder->OpenFifo("wake", O_WRONLY); wake.valid()) {
      [[maybe_unused]] const ssize_t written = write(wake.get(), "quit\n", 5);
    }
    for (const std::string& entry : folder->Names()) folder->RemoveFile(entry);
    unlinkat(cluster.fd(), name, AT_REMOVEDIR);
  }
  for (const char* name : {"control", "pid", "scoreboard", "scoreboard.new", "lock"}) {
    cluster.RemoveFile(name);
  }
  rmdir(cluster.path().c_str());  // of an empty folder only
}

}  // namespace

int CountOrphans(const std::string& directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok()) return 0;
  const absl::StatusOr<std::vector<coordinator::Survivor>> orphans = FindOrphans(*folder);
  return orphans.ok() ? static_cast<int>(orphans->size()) : 0;
}

absl::StatusOr<int> EndOrphans(const std::string& directory, OrphanEnd how, int* killed) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok()) return folder.status();
  // Held until all is removed: a new coordinator cannot begin in the midst of it.
  const absl::StatusOr<Fd> lock = folder->OpenFile("lock", O_RDWR | O_CREAT);
  if (!lock.ok()) return lock.status();
  if (flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": a new coordinator is just beginning here; try again"));
  }
  const absl::StatusOr<std::vector<coordinator::Survivor>> orphans = FindOrphans(*folder);
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
  RemoveRemains(*folder);
  return static_cast<int>(orphans->size());
}

}  // namespace uc::tools
