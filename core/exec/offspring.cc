#include "core/exec/offspring.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/scoreboard/process_start.h"

namespace uc::exec {
namespace {

using Processes = std::map<pid_t, scoreboard::ProcessStat>;

Processes AllProcesses() {
  Processes all;
  scoreboard::ForEachProcess([&](pid_t pid, const scoreboard::ProcessStat& stat) {
    all.emplace(pid, stat);
    return true;
  });
  return all;
}

bool DescendsFrom(pid_t ancestor, pid_t pid, const Processes& all) {
  // Read one after the other, so the parents need not be a tree.
  for (size_t steps = 0; steps <= all.size(); ++steps) {
    const auto found = all.find(pid);
    if (found == all.end()) return false;
    pid = found->second.parent;
    if (pid == ancestor) return true;
  }
  return false;
}

// The process that was seen, and nobody who has got its number since.
void Kill(pid_t pid, const scoreboard::ProcessStat& seen) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid() || scoreboard::ProcessStart(pid) != seen.start) return;
  syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

}  // namespace

absl::StatusOr<Fd> WatchOffspring() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  Fd watch(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  if (watch.valid() && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return watch;
  return absl::ResourceExhaustedError(
      absl::StrCat("the ends of processes cannot be watched: ", strerror(errno)));
}

bool ReapOffspring(const Fd& watch, const Reaper& reaper) {
  signalfd_siginfo told;
  while (read(watch.get(), &told, sizeof(told)) == sizeof(told)) {
  }
  for (;;) {
    siginfo_t info = {};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != ECHILD;
    if (info.si_pid == 0) return true;
    reaper.ended(info.si_pid);
    int status = 0;
    if (waitpid(info.si_pid, &status, 0) == info.si_pid) reaper.reaped(info.si_pid, status);
  }
}

void KillOffspring() {
  const Processes all = AllProcesses();
  for (const auto& [pid, stat] : all) {
    if (stat.state != 'Z' && DescendsFrom(getpid(), pid, all)) Kill(pid, stat);
  }
}

}  // namespace uc::exec
