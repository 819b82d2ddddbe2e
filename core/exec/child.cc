#include "core/exec/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/exec_vector.h"

namespace uc::exec {
namespace {

constexpr int kFirstInherited = 3;
// Room for what only the child knows.
constexpr char kPidPlace[] = "0000000000";

std::vector<std::string> Environment(const ChildOptions& options) {
  std::map<std::string, std::string> variables;
  const auto put = [&variables](const std::string& variable) {
    const size_t equals = variable.find('=');
    if (equals != std::string::npos)
      variables[variable.substr(0, equals)] = variable.substr(equals + 1);
  };
  for (const std::string& variable : options.environment) put(variable);
  // Somebody else's, if we have them.
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NODE_CHANNEL_FD"}) {
    variables.erase(name);
  }
  if (!options.listeners.empty()) {
    variables["LISTEN_FDS"] = absl::StrCat(options.listeners.size());
    variables["LISTEN_PID"] = kPidPlace;
  }
  if (options.node_channel >= 0) {
    variables["NODE_CHANNEL_FD"] = absl::StrCat(kFirstInherited + options.listeners.size());
    variables["NODE_CHANNEL_SERIALIZATION_MODE"] = "json";
  }
  std::vector<std::string> all;
  for (const auto& [name, value] : variables) all.push_back(absl::StrCat(name, "=", value));
  return all;
}

// Puts the descriptors at kFirstInherited and up, and nothing else behind them. In the child.
bool Inherit(std::vector<int> descriptors) {
  const int beyond = kFirstInherited + static_cast<int>(descriptors.size());
  for (int& fd : descriptors) {  // out of the way of each other
    fd = fcntl(fd, F_DUPFD, beyond);
    if (fd < 0) return false;
  }
  for (size_t i = 0; i < descriptors.size(); ++i) {
    if (dup2(descriptors[i], kFirstInherited + static_cast<int>(i)) < 0) return false;
  }
  return close_range(static_cast<unsigned>(beyond), ~0u, 0) == 0;
}

std::vector<int> Inherited(const ChildOptions& options) {
  std::vector<int> descriptors = options.listeners;
  if (options.node_channel >= 0) descriptors.push_back(options.node_channel);
  return descriptors;
}

// LISTEN_PID=, in the child: no allocation, the text has its room already.
void TellPid(char* const* environment) {
  constexpr char kName[] = "LISTEN_PID=";
  for (; *environment != nullptr; ++environment) {
    if (strncmp(*environment, kName, sizeof(kName) - 1) != 0) continue;
    snprintf(*environment + sizeof(kName) - 1, sizeof(kPidPlace), "%d", static_cast<int>(getpid()));
  }
}

// A program of another user can open /dev/stdout and /dev/stderr again where they are pipes without a name, too: those
// belong to the user who made them, and their mode is all that keeps others out (container runtimes change the owner,
// which would let it read). What cannot be changed stays as it is.
void OpenToOthers(int fd) {
  struct stat status;
  struct statfs system;
  if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && fstatfs(fd, &system) == 0 &&
      system.f_type == PIPEFS_MAGIC) {
    fchmod(fd, 0622);
  }
}

struct OutputStream {
  int fd;
  const char* path;
};

void Narrow(const OutputStream& stream) {
  struct stat status;
  if (fstat(stream.fd, &status) != 0 || !S_ISFIFO(status.st_mode)) return;
  const int flags = fcntl(stream.fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) != O_RDWR) return;
  // Does not wait for a reader: the descriptor that it opens again is one.
  const int writer = open(stream.path, O_WRONLY | O_CLOEXEC);
  if (writer < 0) return;
  dup2(writer, stream.fd);
  close(writer);
}

// In the child, before it changes its user: what the program can do with the stdout and stderr that it inherits.
//
// The launcher's own are FIFOs that are open for reading as well, so that the death of the log writer is no EPIPE
// (core/coordinator/worker_output.h). A program that could read there would take the launcher's lines away: it gets
// descriptors for writing only, and the launcher, which lives as long as its program, keeps the reading end open.
void NarrowOutput() {
  Narrow({STDOUT_FILENO, "/proc/self/fd/1"});
  Narrow({STDERR_FILENO, "/proc/self/fd/2"});
}

// Ours is as high as it may be; a program that looks at all its descriptors, or uses select(2), wants its own.
void LowerDescriptorLimit(uint64_t soft_limit) {
  rlimit limit;
  if (soft_limit == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(soft_limit, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct Step {
  const char* what;
  int error;
};

// In the child: what fails goes through `words`.
[[noreturn]] void Become(const ChildOptions& options, pid_t parent, int words, char* const* argv,
                         char* const* environment) {
  const auto fail = [words](const char* what) {
    const Step step = {what, errno};
    [[maybe_unused]] const ssize_t size = write(words, &step, sizeof(step));
    _exit(127);
  };
  // If we go, by SIGKILL above all, the program must not stay behind with nobody to watch it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  TellPid(environment);
  if (options.identity.has_value()) OpenOutputToOthers();
  NarrowOutput();
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) fail("--cwd");
  if (options.identity.has_value()) {
    if (!SetIds(*options.identity)) fail("--user");
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // setresuid(2) clears it
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  }
  std::vector<int> descriptors = Inherited(options);
  // The pipe for our own words stays open until exec closes it.
  descriptors.push_back(words);
  if (!Inherit(descriptors)) fail("descriptors");
  const int last = kFirstInherited + static_cast<int>(descriptors.size()) - 1;
  fcntl(last, F_SETFD, FD_CLOEXEC);
  LowerDescriptorLimit(options.descriptors);
  execve(argv[0], argv, environment);
  const Step step = {"exec", errno};
  [[maybe_unused]] const ssize_t size = write(last, &step, sizeof(step));
  _exit(127);
}

}  // namespace

void OpenOutputToOthers() {
  OpenToOthers(STDOUT_FILENO);
  OpenToOthers(STDERR_FILENO);
}

absl::StatusOr<Child> Child::Start(const ChildOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::UnavailableError("no pipe for the program");
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const std::vector<std::string> variables = Environment(options);
  const std::vector<char*> argv = ExecVector(options.program.argv);
  const std::vector<char*> environment = ExecVector(variables);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::UnavailableError(absl::StrCat("no process: ", strerror(errno)));
  if (pid == 0) Become(options, parent, theirs.get(), argv.data(), environment.data());
  theirs.Reset();
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  UC_CHECK(pidfd.valid());
  Step step = {};
  ssize_t size;
  do {
    size = read(ours.get(), &step, sizeof(step));
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof(step))) return Child(pid, std::move(pidfd));
  waitpid(pid, nullptr, 0);
  const std::string what =
      absl::string_view(step.what) == "exec" ? options.program.argv[0] : step.what;
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", strerror(step.error)));
}

void Child::Signal(int signal) const {
  syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

void Child::SignalGroup(int signal) const { kill(-pid_, signal); }

void Child::KillGroup() const { SignalGroup(SIGKILL); }

std::optional<int> Child::Reap() const {
  int status = 0;
  return waitpid(pid_, &status, WNOHANG) == pid_ ? std::optional<int>(status) : std::nullopt;
}

}  // namespace uc::exec
