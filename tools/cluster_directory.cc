#include "tools/cluster_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/fd.h"
#include "core/coordinator/survivors.h"
#include "tools/orphans.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr size_t kNameBytesMax = 63;

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

std::string UsualBaseDirectory() {
  if (geteuid() == 0) return "/run/uring-cluster";
  if (const std::string xdg = Environment("XDG_RUNTIME_DIR"); !xdg.empty())
    return xdg + "/uring-cluster";
  return absl::StrCat("/tmp/uring-cluster-", geteuid());
}

}  // namespace

std::string StateDirectory(const std::string& base) {
  const std::string given = Environment("URING_CLUSTER_STATE_DIR");
  if (!given.empty()) return given;
  if (base == UsualBaseDirectory()) {
    if (geteuid() == 0) return "/var/lib/uring-cluster";
    const std::string xdg = Environment("XDG_STATE_HOME");
    if (!xdg.empty()) return xdg + "/uring-cluster";
    const std::string home = Environment("HOME");
    if (!home.empty()) return home + "/.local/state/uring-cluster";
  }
  return base + "/.state";
}

absl::Status MakeStateDirectory(const std::string& base) {
  const absl::Status status =
      TrustedFolder::Make(StateDirectory(base), TrustedFolder::Making::kFoldersAbove).status();
  // The cure is another one than for a run directory.
  return absl::Status(
      status.code(),
      absl::StrReplaceAll(status.message(), {{"--run-dir", "URING_CLUSTER_STATE_DIR"}}));
}

std::string DefaultBaseDirectory() {
  const std::string given = Environment("URING_CLUSTER_RUN_DIR");
  return given.empty() ? UsualBaseDirectory() : given;
}

absl::Status CheckClusterName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
  if (plain && !name.empty() && name.size() <= kNameBytesMax && name[0] != '.' && name[0] != '-') {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--name=", absl::string_view(name).substr(0, kNameBytesMax),
                   " is no cluster name: letters, digits, '.', '_' and '-', at most ",
                   kNameBytesMax, " of them"));
}

absl::StatusOr<std::string> PrepareClusterDirectory(const std::string& base,
                                                    const std::string& name) {
  if (absl::Status status = CheckClusterName(name); !status.ok()) return status;
  const absl::StatusOr<TrustedFolder> folder =
      TrustedFolder::Make(base, TrustedFolder::Making::kFolder);
  if (!folder.ok()) return folder.status();
  const std::string directory = absl::StrCat(base, "/", name);
  const absl::StatusOr<TrustedFolder> cluster = folder->MakeBelow(name);
  if (!cluster.ok()) return cluster.status();
  if (faccessat(cluster->fd(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(directory,
                                                    ": is not writable: ", strerror(errno),
                                                    "; choose a --run-dir that you may write"));
  }
  return directory;
}

absl::Status CheckReadable(const std::string& base) {
  const absl::Status status = TrustedFolder::Open(base).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

std::vector<std::string> ListWith(const std::string& base, const std::string& file) {
  std::vector<std::string> names;
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::Open(base);
  if (!folder.ok()) return names;
  for (const std::string& name : folder->Names()) {
    if (!CheckClusterName(name).ok()) continue;
    struct stat status;
    if (fstatat(folder->fd(), absl::StrCat(name, "/", file).c_str(), &status,
                AT_SYMLINK_NOFOLLOW) == 0) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> ListClusters(const std::string& base) {
  std::vector<std::string> names = ListWith(base, "scoreboard");
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::Open(base);
  if (!folder.ok()) return names;
  // Also where somebody has removed the scoreboard, and workers serve on.
  for (const std::string& name : ListWith(base, "doors")) {
    if (std::count(names.begin(), names.end(), name) > 0) continue;
    const absl::StatusOr<TrustedFolder> cluster = folder->OpenBelow(name);
    if (!cluster.ok()) continue;
    const auto doors = coordinator::KeptDoors(cluster->pinned_path());
    if (!doors.ok() || !doors->empty()) names.push_back(name);
  }
  // Also where all of it has gone, and what its programs have started serves on.
  std::vector<std::string> others;
  for (const std::string& name : folder->Names()) {
    if (CheckClusterName(name).ok() && std::count(names.begin(), names.end(), name) == 0) {
      others.push_back(name);
    }
  }
  for (const std::string& name : ListLeft(base, others)) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> ListRefused(const std::string& base) {
  std::vector<std::string> names;
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::Open(base);
  if (!folder.ok()) return names;
  for (const std::string& name : folder->Names()) {
    struct stat status;
    if (!CheckClusterName(name).ok() ||
        fstatat(folder->fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode)) {
      continue;
    }
    if (absl::IsPermissionDenied(folder->OpenBelow(name).status())) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status NoCluster(const std::string& base, const std::string& name,
                       const std::vector<std::string>& known) {
  if (CheckClusterName(name).ok()) {
    const absl::Status status = TrustedFolder::OpenCluster(absl::StrCat(base, "/", name)).status();
    if (absl::IsPermissionDenied(status)) return status;
  }
  return absl::NotFoundError(
      absl::StrCat("no cluster '", absl::string_view(name).substr(0, kNameBytesMax), "' in ", base,
                   known.empty() ? "" : absl::StrCat("; there is ", absl::StrJoin(known, ", "))));
}

absl::StatusOr<std::string> ResolveCluster(const std::string& base, const std::string& name) {
  if (absl::Status status = CheckReadable(base); !status.ok()) return status;
  const std::vector<std::string> names = ListClusters(base);
  if (!name.empty()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return name;
    const std::vector<std::string> recorded = ListWith(base, "record");
    if (std::find(recorded.begin(), recorded.end(), name) == recorded.end() ||
        !TrustedFolder::OpenCluster(absl::StrCat(base, "/", name)).ok()) {
      return NoCluster(base, name, names);
    }
    const absl::Status record = TrustedFolder::OpenCluster(absl::StrCat(base, "/", name))
                                    ->OpenFile("record", O_RDONLY)
                                    .status();
    if (!record.ok()) return record;
    return absl::NotFoundError(absl::StrCat("cluster ", name, " is stopped; 'uring-cluster start ",
                                            name, "' starts it again"));
  }
  if (names.size() == 1) return names[0];
  if (names.empty()) {
    const std::vector<std::string> recorded = ListWith(base, "record");
    return absl::NotFoundError(recorded.empty()
                                   ? absl::StrCat("no cluster in ", base)
                                   : absl::StrCat("no cluster runs in ", base,
                                                  "; 'uring-cluster start' starts ",
                                                  absl::StrJoin(recorded, ", "), " again"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("which cluster? there is ", absl::StrJoin(names, ", ")));
}

bool CoordinatorLives(const std::string& directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  return folder.ok() && CoordinatorLives(*folder);
}

bool CoordinatorLives(const TrustedFolder& folder) {
  const absl::StatusOr<Fd> lock = folder.OpenFile("lock", O_RDONLY);
  // Its file may have been removed: a coordinator that lives reads its control pipe, too (fifo(7): without a reader this
  // fails).
  if (!lock.ok()) return folder.OpenFifo("control", O_WRONLY).valid();
  // A shared lock for a moment: a coordinator that starts just now tries once and would be told that its
  // name is taken; nobody asks about a cluster that is only about to exist.
  if (flock(lock->get(), LOCK_SH | LOCK_NB) == 0) return false;
  return errno == EWOULDBLOCK;
}

namespace {

// `reports` may be invalid: there are none.
absl::StatusOr<scoreboard::Scoreboard> OpenWith(const TrustedFolder& folder, Fd reports) {
  absl::StatusOr<Fd> file = folder.OpenFile("scoreboard", O_RDONLY);
  if (!file.ok()) return file.status();
  return scoreboard::Scoreboard::OpenReadOnly(*std::move(file), std::move(reports),
                                              folder.path() + "/scoreboard");
}

}  // namespace

absl::StatusOr<scoreboard::Scoreboard> OpenScoreboard(const TrustedFolder& folder) {
  absl::StatusOr<Fd> reports = folder.OpenFile("scoreboard.reports", O_RDONLY);
  absl::StatusOr<scoreboard::Scoreboard> board =
      OpenWith(folder, reports.ok() ? *std::move(reports) : Fd());
  // What is wrong with the first one matters more. Without the second there are no figures, and all the rest.
  return !board.ok() || reports.ok() || absl::IsNotFound(reports.status())
             ? std::move(board)
             : absl::StatusOr<scoreboard::Scoreboard>(reports.status());
}

absl::StatusOr<scoreboard::Scoreboard> OpenRows(const TrustedFolder& folder) {
  absl::StatusOr<Fd> reports = folder.OpenFile("scoreboard.reports", O_RDONLY);
  return OpenWith(folder, reports.ok() ? *std::move(reports) : Fd());
}

}  // namespace uc::tools
