#include "core/coordinator/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/exec_vector.h"
#include "core/link/message.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace uc::coordinator {
namespace {

class SpawnSettings {
 public:
  SpawnSettings(int link_fd, const StandardStreams& streams) {
    UC_CHECK(posix_spawn_file_actions_init(&files) == 0);
    UC_CHECK(posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0);
    if (streams.out >= 0) {
      UC_CHECK(posix_spawn_file_actions_adddup2(&files, streams.out, STDOUT_FILENO) == 0);
    }
    if (streams.err >= 0) {
      UC_CHECK(posix_spawn_file_actions_adddup2(&files, streams.err, STDERR_FILENO) == 0);
    }
    UC_CHECK(posix_spawn_file_actions_adddup2(&files, link_fd, link::kWorkerLinkFd) == 0);
    // Also what we were started with and never opened ourselves.
    UC_CHECK(posix_spawn_file_actions_addclosefrom_np(&files, link::kWorkerLinkFd + 1) == 0);
    UC_CHECK(posix_spawnattr_init(&attributes) == 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

ExitReport Exited(int code) { return {code == 0, absl::StrCat("exited with code ", code), code}; }

ExitReport Killed(int signal) {
  const char* name = sigabbrev_np(signal);
  return {false,
          name != nullptr ? absl::StrCat("killed by SIG", name)
                          : absl::StrCat("killed by signal ", signal),
          std::nullopt};
}

// include/uapi/linux/pidfd.h of Linux 6.15 (PIDFD_INFO_EXIT; the ioctl itself is of 6.13).
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;  // as wait(2) has it
};
constexpr uint64_t kPidfdInfoExit = 1 << 3;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xff, 11, PidfdInfo);

absl::StatusOr<ExitReport> ReapStranger(const Fd& pidfd) {
  pollfd watch = {pidfd.get(), POLLIN, 0};
  if (poll(&watch, 1, 0) != 1) return absl::UnavailableError("still running");
  PidfdInfo info = {};
  info.mask = kPidfdInfoExit;
  if (ioctl(pidfd.get(), kPidfdGetInfo, &info) != 0 || (info.mask & kPidfdInfoExit) == 0) {
    return ExitReport{true, "ended", std::nullopt};
  }
  return WIFSIGNALED(info.exit_code) ? Killed(WTERMSIG(info.exit_code))
                                     : Exited(WEXITSTATUS(info.exit_code));
}

absl::Status SpawnError(int error, const std::string& binary) {
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    return absl::UnavailableError(
        absl::StrCat("no process for a worker: ", strerror(error),
                     " (is RLIMIT_NPROC, the pids cgroup or memory used up?)"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(binary, ": cannot be executed: ", strerror(error)));
}

}  // namespace

absl::StatusOr<Spawned> SpawnWorker(const std::string& binary,
                                    const std::vector<std::string>& arguments, int link_fd,
                                    const StandardStreams& streams,
                                    const std::optional<std::vector<std::string>>& environment) {
  const std::vector<char*> argv = ExecVector(arguments);
  const std::vector<char*> variables =
      environment.has_value() ? ExecVector(*environment) : std::vector<char*>();

  const SpawnSettings settings(link_fd, streams);
  Spawned spawned;
  if (const int error =
          posix_spawn(&spawned.pid, binary.c_str(), &settings.files, &settings.attributes,
                      argv.data(), environment.has_value() ? variables.data() : environ);
      error != 0) {
    return SpawnError(error, binary);
  }
  // Not reaped by anybody but us, so the number cannot have been given to another process yet.
  spawned.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, spawned.pid, 0)));
  if (!spawned.pidfd.valid()) {
    const int error = errno;
    kill(spawned.pid, SIGKILL);
    waitpid(spawned.pid, nullptr, 0);
    return SpawnError(error, binary);
  }
  return spawned;
}

absl::StatusOr<ExitReport> Reap(const Fd& pidfd) {
  siginfo_t info;
  memset(&info, 0, sizeof(info));
  if (waitid(static_cast<idtype_t>(P_PIDFD), pidfd.get(), &info, WEXITED | WNOHANG) != 0) {
    return ReapStranger(pidfd);
  }
  if (info.si_pid == 0) return absl::UnavailableError("still running");
  return info.si_code == CLD_EXITED ? Exited(info.si_status) : Killed(info.si_status);
}

}  // namespace uc::coordinator
