#include "tools/orphans.h"

#include <dirent.h>
#include <errno.h>
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
#include "tools/record.h"

namespace uc::tools {
namespace {

constexpr absl::Duration kOrphanPatience = absl::Seconds(10);
constexpr absl::Duration kDyingRingPatience = absl::Seconds(1);
constexpr int kLookMs = 5;

// nullopt: there is none, or none that this program can read. Then the doors are all there is.
std::optional<scoreboard::Scoreboard> OpenBoard(const std::string& directory) {
  absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::OpenReadOnly(directory + "/scoreboard");
  return board.ok() ? std::optional<scoreboard::Scoreboard>(*std::move(board)) : std::nullopt;
}

const scoreboard::Layout* LayoutOf(const std::optional<scoreboard::Scoreboard>& board) {
  return board.has_value() ? &board->layout() : nullptr;
}

// The kernel tears a worker's ring down some milliseconds after its end, and until then its door is kept.
size_t CountAtTheEnd(const std::string& directory, const scoreboard::Layout* layout) {
  const absl::Time until = MonotonicNow() + kDyingRingPatience;
  size_t left = coordinator::CountSurvivors(directory, layout);
  while (left > 0 && MonotonicNow() < until) {
    poll(nullptr, 0, kLookMs);
    left = coordinator::CountSurvivors(directory, layout);
  }
  return left;
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
  const std::optional<scoreboard::Scoreboard> board = OpenBoard(directory);
  return static_cast<int>(coordinator::CountSurvivors(directory, LayoutOf(board)) +
                          (board.has_value() ? coordinator::CountPrograms(board->layout()) : 0));
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
  const std::optional<scoreboard::Scoreboard> board = OpenBoard(directory);
  std::vector<coordinator::Survivor> orphans =
      coordinator::FindSurvivors(directory, LayoutOf(board));
  const coordinator::Dismissal dismissal = coordinator::DismissAll(
      absl::MakeSpan(orphans), how == OrphanEnd::kAsked ? kOrphanPatience : absl::ZeroDuration());
  const int programs = board.has_value() ? coordinator::EndPrograms(board->layout()) : 0;
  if (const size_t left = CountAtTheEnd(directory, LayoutOf(board)); left > 0) {
    return absl::DeadlineExceededError(absl::StrCat(
        left, left == 1 ? " process keeps its door in " : " processes keep their doors in ",
        directory, "/doors and could not be ended; find them (fuser, lsof), end them, and give ",
        "'stop' again"));
  }
  if (killed != nullptr) *killed = dismissal.killed;
  RemoveRemains(directory);
  return static_cast<int>(orphans.size()) + programs;
}

}  // namespace uc::tools
