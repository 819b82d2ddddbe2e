#include "tools/orphans.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/coordinator/survivors.h"
#include "core/scoreboard/scoreboard.h"
#include "tools/cluster_directory.h"
#include "tools/record.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr absl::Duration kOrphanPatience = absl::Seconds(10);
constexpr absl::Duration kDyingRingPatience = absl::Seconds(1);
constexpr int kLookMs = 5;

// nullopt: there is none, or none that this program can read. Then the doors are all there is.
std::optional<scoreboard::Scoreboard> OpenBoard(const TrustedFolder& folder) {
  absl::StatusOr<scoreboard::Scoreboard> board = OpenScoreboard(folder);
  return board.ok() ? std::optional<scoreboard::Scoreboard>(*std::move(board)) : std::nullopt;
}

const scoreboard::Layout* LayoutOf(const std::optional<scoreboard::Scoreboard>& board) {
  return board.has_value() ? &board->layout() : nullptr;
}

// Where nobody can look, somebody may be left.
size_t CountSurvivors(const std::string& directory, const scoreboard::Layout* layout) {
  return coordinator::CountSurvivors(directory, layout).value_or(1);
}

// The kernel tears a worker's ring down some milliseconds after its end, and until then its door is kept.
size_t CountAtTheEnd(const std::string& directory, const scoreboard::Layout* layout) {
  const absl::Time until = MonotonicNow() + kDyingRingPatience;
  size_t left = CountSurvivors(directory, layout);
  while (left > 0 && MonotonicNow() < until) {
    poll(nullptr, 0, kLookMs);
    left = CountSurvivors(directory, layout);
  }
  return left;
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
  for (const char* name : {"control", "pid", "scoreboard", "scoreboard.new", "scoreboard.reports",
                           "scoreboard.reports.new", "lock"}) {
    cluster.RemoveFile(name);
  }
  rmdir(cluster.path().c_str());  // of an empty folder only
}

}  // namespace

int CountOrphans(const std::string& directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok()) return 0;
  const std::optional<scoreboard::Scoreboard> board = OpenBoard(*folder);
  return static_cast<int>(CountSurvivors(folder->pinned_path(), LayoutOf(board)) +
                          (board.has_value() ? coordinator::CountPrograms(board->layout()) : 0));
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
  const std::optional<scoreboard::Scoreboard> board = OpenBoard(*folder);
  const std::string pinned = folder->pinned_path();
  absl::StatusOr<std::vector<coordinator::Survivor>> orphans =
      coordinator::FindSurvivors(pinned, LayoutOf(board));
  if (!orphans.ok()) return orphans.status();
  const coordinator::Dismissal dismissal = coordinator::DismissAll(
      absl::MakeSpan(*orphans), how == OrphanEnd::kAsked ? kOrphanPatience : absl::ZeroDuration());
  const int programs = board.has_value() ? coordinator::EndPrograms(board->layout()) : 0;
  if (const size_t left = CountAtTheEnd(pinned, LayoutOf(board)); left > 0) {
    return absl::DeadlineExceededError(absl::StrCat(
        left, left == 1 ? " process keeps its door in " : " processes keep their doors in ",
        directory, "/doors and could not be ended; find them (fuser, lsof), end them, and give ",
        "'stop' again"));
  }
  if (killed != nullptr) *killed = dismissal.killed;
  RemoveRemains(*folder);
  return static_cast<int>(orphans->size()) + programs;
}

absl::Status WithOrphans(const std::string& directory, const std::string& name,
                         const absl::Status& why) {
  const int orphans = CoordinatorLives(directory) ? 0 : CountOrphans(directory);
  if (orphans == 0) return why;
  return absl::Status(
      why.code() == absl::StatusCode::kPermissionDenied ? why.code()
                                                        : absl::StatusCode::kFailedPrecondition,
      absl::StrCat(why.message(), "; ", orphans,
                   orphans == 1 ? " worker still serves" : " workers still serve",
                   ": 'uring-cluster stop ", name, "' ends ", orphans == 1 ? "it" : "them"));
}

}  // namespace uc::tools
