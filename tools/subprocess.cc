#include "tools/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/exec_vector.h"
#include "core/base/fd.h"
#include "tools/record.h"

namespace uc::tools {
namespace {

constexpr size_t kOutputMax = 8 << 20;

absl::StatusOr<int> Wait(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "waitpid");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

absl::StatusOr<pid_t> Spawn(const Subprocess& subprocess, int output_fd) {
  if (!subprocess.directory.empty() && access(subprocess.directory.c_str(), X_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(subprocess.directory, ": cannot be entered: ", strerror(errno)));
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  UC_CHECK(posix_spawn_file_actions_init(&files) == 0);
  UC_CHECK(posix_spawnattr_init(&attributes) == 0);
  if (!subprocess.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&files, subprocess.directory.c_str());
  }
  if (output_fd >= 0) posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  sigaddset(&ours, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &ours);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, subprocess.path.c_str(), &files, &attributes,
                                 ExecVector(subprocess.arguments).data(),
                                 ExecVector(subprocess.environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return absl::NotFoundError(
      absl::StrCat(subprocess.path, ": cannot be executed: ", strerror(error)));
}

}  // namespace

Subprocess Ourselves(std::vector<std::string> words) {
  words.insert(words.begin(), "uring-cluster");
  return {"/proc/self/exe", std::move(words), "", Environment()};
}

absl::StatusOr<int> Run(const Subprocess& subprocess) {
  const absl::StatusOr<pid_t> pid = Spawn(subprocess, -1);
  if (!pid.ok()) return pid.status();
  return Wait(*pid);
}

absl::StatusOr<int> Run(const Subprocess& subprocess, std::string* output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const absl::StatusOr<pid_t> pid = Spawn(subprocess, writer.get());
  writer.Reset();
  if (!pid.ok()) return pid.status();
  char buffer[16384];
  for (ssize_t size; (size = read(reader.get(), buffer, sizeof(buffer))) != 0;) {
    if (size < 0 && errno != EINTR) break;
    if (size > 0 && output->size() < kOutputMax) output->append(buffer, static_cast<size_t>(size));
  }
  return Wait(*pid);
}

}  // namespace uc::tools
