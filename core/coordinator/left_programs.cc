#include "core/coordinator/left_programs.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/clock.h"
#include "core/link/worker_mark.h"
#include "core/scoreboard/process_start.h"

namespace uc::coordinator {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

bool HasEnded(const scoreboard::ProcessStat& stat) {
  return stat.state == 'Z' || stat.state == 'X';
}

std::optional<link::WorkerMark> MarkOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/environ"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (absl::string_view variable : absl::StrSplit(text, '\0')) {
    if (absl::ConsumePrefix(&variable, link::kWorkerMarkVariable) &&
        absl::ConsumePrefix(&variable, "=")) {
      return link::ParseWorkerMark(variable);
    }
  }
  return std::nullopt;
}

bool WorkerLives(const link::WorkerMark& mark) {
  const std::optional<scoreboard::ProcessStat> worker = scoreboard::ReadProcessStat(mark.pid);
  return worker.has_value() && worker->start == mark.start && !HasEnded(*worker);
}

// First the descriptor, then the look: what is found is what the descriptor is of.
std::optional<LeftProgram> LookAt(pid_t pid) {
  LeftProgram found;
  found.pid = pid;
  if (!MarkOf(pid).has_value()) return std::nullopt;  // nearly everybody
  found.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const std::optional<link::WorkerMark> mark = MarkOf(pid);
  const std::optional<scoreboard::ProcessStat> stat = scoreboard::ReadProcessStat(pid);
  struct stat owner;
  if (!found.pidfd.valid() || !mark.has_value() || !stat.has_value() || HasEnded(*stat) ||
      stat->session != mark->session || stat->start < mark->start || WorkerLives(*mark) ||
      ::stat(absl::StrCat("/proc/", pid).c_str(), &owner) != 0) {
    return std::nullopt;
  }
  found.group = stat->group;
  found.user = owner.st_uid;
  found.directory = mark->directory;
  return found;
}

std::vector<LeftProgram> Of(const std::string& directory, absl::Span<const uid_t> users) {
  std::vector<LeftProgram> found = FindLeftPrograms();
  const std::string marked = MarkedDirectory(directory);
  std::erase_if(found, [&](const LeftProgram& one) {
    return one.directory != marked ||
           std::find(users.begin(), users.end(), one.user) == users.end();
  });
  return found;
}

void AwaitEnds(absl::Span<const LeftProgram> programs, absl::Time until) {
  for (const LeftProgram& one : programs) {
    pollfd watch = {one.pidfd.get(), POLLIN, 0};
    const int64_t left = absl::ToInt64Milliseconds(until - MonotonicNow());
    poll(&watch, 1, static_cast<int>(std::max<int64_t>(left, 0)));
  }
}

}  // namespace

std::vector<LeftProgram> FindLeftPrograms() {
  std::vector<LeftProgram> found;
  const std::unique_ptr<DIR, CloseDirectory> processes(opendir("/proc"));
  while (const dirent* entry = processes != nullptr ? readdir(processes.get()) : nullptr) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid <= 1 || pid == getpid()) continue;
    if (std::optional<LeftProgram> one = LookAt(pid)) found.push_back(*std::move(one));
  }
  return found;
}

std::string MarkedDirectory(const std::string& directory) {
  const size_t slash = directory.rfind('/');
  const std::string base = slash == std::string::npos ? "." : directory.substr(0, slash + 1);
  char plain[PATH_MAX];
  if (realpath(base.c_str(), plain) == nullptr) return directory;
  return absl::StrCat(plain, "/",
                      slash == std::string::npos ? directory : directory.substr(slash + 1));
}

size_t CountLeftPrograms(const std::string& directory, absl::Span<const uid_t> users) {
  std::set<pid_t> groups;
  for (const LeftProgram& one : Of(directory, users)) groups.insert(one.group);
  return groups.size();
}

LeftEnd EndLeftPrograms(const std::string& directory, absl::Span<const uid_t> users,
                        absl::Duration patience) {
  const absl::Time until = MonotonicNow() + patience;
  std::set<pid_t> groups;
  for (;;) {
    // Again and again: some may have been started meanwhile.
    const std::vector<LeftProgram> found = Of(directory, users);
    LeftEnd end = {static_cast<int>(groups.size()), {}};
    if (found.empty()) return end;
    if (MonotonicNow() >= until) {
      for (const LeftProgram& one : found) end.alive.push_back(one.pid);
      return end;
    }
    for (const LeftProgram& one : found) {
      groups.insert(one.group);
      syscall(SYS_pidfd_send_signal, one.pidfd.get(), SIGKILL, nullptr, 0);
    }
    AwaitEnds(found, until);
  }
}

}  // namespace uc::coordinator
