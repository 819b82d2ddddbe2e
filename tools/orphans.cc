#include "tools/orphans.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/coordinator/left_programs.h"
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
  absl::StatusOr<scoreboard::Scoreboard> board = OpenRows(folder);
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

// Whom the cluster may run as, by what is believed of it.
std::vector<uid_t> UsersOf(const TrustedFolder& folder, const scoreboard::Layout* layout) {
  std::vector<uid_t> users = {geteuid()};
  if (layout != nullptr) users.push_back(layout->header.program_user.load());
  const absl::StatusOr<ClusterRecord> record = ReadRecord(folder.path());
  if (record.ok() && record->serves_as.has_value()) users.push_back(*record->serves_as);
  return users;
}

// What a coordinator leaves behind when it dies. Its log stays, and what it was told if it can be started again. Returns
// what cannot be removed: a directory where a file of ours belongs, or a folder of ours that is none.
std::vector<std::string> RemoveRemains(const TrustedFolder& cluster) {
  constexpr const char* kFiles[] = {"control",
                                    "pid",
                                    "scoreboard",
                                    "scoreboard.new",
                                    "scoreboard.reports",
                                    "scoreboard.reports.new",
                                    "lock"};
  constexpr const char* kFolders[] = {"replies", "doors", "output"};
  const absl::StatusOr<ClusterRecord> record = ReadRecord(cluster.path());
  if (record.ok() && !record->background) RemoveRecord(cluster.path());
  for (const char* name : kFolders) {
    // What is no folder of ours is not looked into.
    const absl::StatusOr<TrustedFolder> folder = cluster.OpenBelow(name);
    if (!folder.ok()) continue;
    if (const Fd wake = folder->OpenFifo("wake", O_WRONLY); wake.valid()) {
      [[maybe_unused]] const ssize_t written = write(wake.get(), "quit\n", 5);
    }
    for (const std::string& entry : folder->Names()) folder->RemoveFile(entry);
    unlinkat(cluster.fd(), name, AT_REMOVEDIR);
  }
  for (const char* name : kFiles) cluster.RemoveFile(name);
  for (const char* name : kFolders)
    cluster.RemoveFile(name);  // a link, whose end is nothing of ours
  std::vector<std::string> left;
  for (const std::string& name : cluster.Names()) {
    const auto is_it = [&](const char* one) { return name == one; };
    if (std::any_of(std::begin(kFiles), std::end(kFiles), is_it) ||
        std::any_of(std::begin(kFolders), std::end(kFolders), is_it)) {
      left.push_back(name);
    }
  }
  rmdir(cluster.path().c_str());  // of an empty folder only
  return left;
}

}  // namespace

int CountOrphans(const std::string& directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok()) return 0;
  const std::optional<scoreboard::Scoreboard> board = OpenBoard(*folder);
  // The same programs, found in two ways.
  const size_t programs =
      std::max(board.has_value() ? coordinator::CountPrograms(board->layout()) : 0,
               coordinator::CountLeftPrograms(directory, UsersOf(*folder, LayoutOf(board))));
  return static_cast<int>(CountSurvivors(folder->pinned_path(), LayoutOf(board)) + programs);
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
  if (!orphans.ok()) {
    return absl::Status(orphans.status().code(),
                        absl::StrReplaceAll(orphans.status().message(), {{pinned, directory}}));
  }
  const coordinator::Dismissal dismissal = coordinator::DismissAll(
      absl::MakeSpan(*orphans), how == OrphanEnd::kAsked ? kOrphanPatience : absl::ZeroDuration());
  const int programs = board.has_value() ? coordinator::EndPrograms(board->layout()) : 0;
  const coordinator::LeftEnd others =
      coordinator::EndLeftPrograms(directory, UsersOf(*folder, LayoutOf(board)), kOrphanPatience);
  if (!others.alive.empty()) {
    return absl::DeadlineExceededError(
        absl::StrCat("what its programs have started lives on and could not be ended: pid ",
                     absl::StrJoin(others.alive, ", "), "; end it, and give 'stop' again"));
  }
  if (const size_t left = CountAtTheEnd(pinned, LayoutOf(board)); left > 0) {
    return absl::DeadlineExceededError(absl::StrCat(
        left, left == 1 ? " process keeps its door in " : " processes keep their doors in ",
        directory, "/doors and could not be ended; find them (fuser, lsof), end them, and give ",
        "'stop' again"));
  }
  if (killed != nullptr) *killed = dismissal.killed;
  const int ended = static_cast<int>(orphans->size()) + programs + others.groups;
  const std::vector<std::string> left_behind = RemoveRemains(*folder);
  if (left_behind.empty()) return ended;
  return absl::FailedPreconditionError(absl::StrCat(
      "ended ", ended, ended == 1 ? " worker" : " workers", "; ", directory, ": ",
      absl::StrJoin(left_behind, ", "), " cannot be removed (a directory where none belongs, or ",
      "something in it that is not ours); look at it, remove it by hand, and give 'stop' again"));
}

std::vector<std::string> ListLeft(const std::string& base, const std::vector<std::string>& names) {
  std::vector<std::string> left;
  if (names.empty()) return left;
  const std::vector<coordinator::LeftProgram> programs = coordinator::FindLeftPrograms();
  for (const std::string& name : names) {
    const std::string directory = absl::StrCat(base, "/", name);
    const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
    if (!folder.ok()) continue;
    const std::string marked = coordinator::MarkedDirectory(directory);
    const std::vector<uid_t> users = UsersOf(*folder, nullptr);
    if (std::any_of(programs.begin(), programs.end(), [&](const coordinator::LeftProgram& one) {
          return one.directory == marked &&
                 std::find(users.begin(), users.end(), one.user) != users.end();
        })) {
      left.push_back(name);
    }
  }
  return left;
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
