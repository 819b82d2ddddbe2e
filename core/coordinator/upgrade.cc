#include "core/coordinator/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/check.h"
#include "core/base/exec_vector.h"
#include "core/coordinator/spawner.h"
#include "core/link/message.h"
#include "core/scoreboard/layout.h"

namespace uc::coordinator {
namespace {

constexpr char kStateVariable[] = "URING_CLUSTER_UPGRADE_FD";
constexpr char kRehearsalVariable[] = "URING_CLUSTER_REHEARSAL";
constexpr int kRehearsalStateFd = 3;
constexpr size_t kStateBytesMax = 1 << 20;
constexpr size_t kWordsBytesMax = 1000;

std::string Versions() {
  return absl::StrCat("uring-cluster-upgrade 1 link ", link::kVersion, " scoreboard ",
                      scoreboard::kLayoutVersion);
}

absl::StatusOr<Fd> WriteMemfd(const std::string& text) {
  Fd file(memfd_create("uring-cluster-upgrade", MFD_CLOEXEC));
  if (!file.valid() ||
      write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return absl::ErrnoToStatus(errno, "the state cannot be written");
  }
  return file;
}

absl::Status SetCloseOnExec(const std::vector<int>& descriptors, bool on) {
  for (const int fd : descriptors) {
    if (fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("descriptor ", fd));
    }
  }
  return absl::OkStatus();
}

std::string AnswerTo(absl::string_view nonce) {
  return absl::StrCat("uring-cluster can go on ", nonce, "\n");
}

absl::StatusOr<std::string> MakeNonce() {
  uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    return absl::ErrnoToStatus(errno, "no random number");
  }
  return absl::StrCat(absl::Hex(number, absl::kZeroPad16));
}

std::string ReadAll(const Fd& pipe) {
  std::string text(4096, '\0');
  fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  const ssize_t size = read(pipe.get(), text.data(), text.size());
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

// The last line that it said, without what says who said it.
std::string LastLine(absl::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const size_t begin = text.rfind('\n');
  if (begin != absl::string_view::npos) text.remove_prefix(begin + 1);
  return std::string(text.substr(0, kWordsBytesMax));
}

}  // namespace

std::vector<int> UpgradeState::Descriptors() const {
  std::vector<int> all = {lock, control};
  if (reply >= 0) all.push_back(reply);
  all.insert(all.end(), steering.begin(), steering.end());
  for (const auto& [slot, descriptors] : listeners) {
    all.insert(all.end(), descriptors.begin(), descriptors.end());
  }
  return all;
}

std::string Encode(const UpgradeState& state) {
  std::string text = absl::StrCat(Versions(), "\nlock ", state.lock, "\ncontrol ", state.control,
                                  "\nreply ", state.reply, "\nsteering");
  for (const int fd : state.steering) absl::StrAppend(&text, " ", fd);
  for (const auto& [slot, descriptors] : state.listeners) {
    absl::StrAppend(&text, "\nlisteners ", slot);
    for (const int fd : descriptors) absl::StrAppend(&text, " ", fd);
  }
  return text + "\n";
}

absl::StatusOr<UpgradeState> DecodeUpgrade(absl::string_view text) {
  UpgradeState state;
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty() || lines[0] != Versions()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the running workers are of another version ('",
                     lines.empty() ? "" : lines[0].substr(0, 80), "', this program speaks '",
                     Versions(), "'): restart the cluster with this program instead"));
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<absl::string_view> words = absl::StrSplit(lines[i], ' ', absl::SkipEmpty());
    std::vector<int> numbers(words.size() - 1);
    for (size_t j = 1; j < words.size(); ++j) {
      if (!absl::SimpleAtoi(words[j], &numbers[j - 1])) {
        return absl::FailedPreconditionError("the state of the upgrade is damaged");
      }
    }
    if (words[0] == "steering") {
      state.steering = numbers;
    } else if (words[0] == "listeners" && numbers.size() > 1 && numbers[0] >= 0) {
      state.listeners[static_cast<policy::SlotIndex>(numbers[0])] = {numbers.begin() + 1,
                                                                     numbers.end()};
    } else if (words[0] == "lock" && numbers.size() == 1) {
      state.lock = numbers[0];
    } else if (words[0] == "control" && numbers.size() == 1) {
      state.control = numbers[0];
    } else if (words[0] == "reply" && numbers.size() == 1) {
      state.reply = numbers[0];
    } else {
      return absl::FailedPreconditionError("the state of the upgrade is damaged");
    }
  }
  if (state.lock < 0 || state.control < 0) {
    return absl::FailedPreconditionError("the state of the upgrade is not complete");
  }
  return state;
}

absl::StatusOr<std::optional<UpgradeState>> TakeUpgradeState() {
  const char* number = getenv(kStateVariable);
  int fd = -1;
  if (number == nullptr) return std::optional<UpgradeState>();
  const bool valid = absl::SimpleAtoi(number, &fd);
  unsetenv(kStateVariable);
  if (!valid) return absl::FailedPreconditionError("the state of the upgrade is not there");
  const Fd file(fd);
  std::string text(kStateBytesMax, '\0');
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  if (size <= 0) return absl::FailedPreconditionError("the state of the upgrade cannot be read");
  text.resize(static_cast<size_t>(size));
  absl::StatusOr<UpgradeState> state = DecodeUpgrade(text);
  if (!state.ok()) return state.status();
  if (!IsRehearsal()) {
    if (absl::Status status = SetCloseOnExec(state->Descriptors(), true); !status.ok()) {
      return status;
    }
  }
  return std::optional<UpgradeState>(*std::move(state));
}

bool IsUpgraded() { return getenv(kStateVariable) != nullptr; }
bool IsRehearsal() { return getenv(kRehearsalVariable) != nullptr; }
std::string RehearsalAnswer() {
  const char* const nonce = getenv(kRehearsalVariable);
  return AnswerTo(nonce != nullptr ? nonce : "");
}

absl::StatusOr<Rehearsal> Rehearsal::Begin(const std::string& binary,
                                           const std::vector<std::string>& arguments,
                                           const UpgradeState& state) {
  absl::StatusOr<Fd> file = WriteMemfd(Encode(state));
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::string> nonce = MakeNonce();
  if (!nonce.ok()) return nonce.status();
  int ends[2];
  int answer_ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "no pipe");
  Fd words(ends[0]);
  const Fd its_stderr(ends[1]);
  if (pipe2(answer_ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "no pipe");
  Fd answer(answer_ends[0]);
  const Fd its_stdout(answer_ends[1]);

  posix_spawn_file_actions_t files;
  UC_CHECK(posix_spawn_file_actions_init(&files) == 0);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, its_stdout.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, its_stderr.get(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&files, file->get(), kRehearsalStateFd);
  posix_spawn_file_actions_addclosefrom_np(&files, kRehearsalStateFd + 1);
  posix_spawnattr_t attributes;
  UC_CHECK(posix_spawnattr_init(&attributes) == 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  std::vector<std::string> variables = {absl::StrCat(kStateVariable, "=", kRehearsalStateFd),
                                        absl::StrCat(kRehearsalVariable, "=", *nonce)};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, binary.c_str(), &files, &attributes,
                                ExecVector(arguments).data(), ExecVector(variables).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(binary, ": cannot be executed: ", strerror(error)));
  }
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const int no_pidfd = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(no_pidfd, "no pidfd");
  }
  return Rehearsal(pid, std::move(pidfd), std::move(words), std::move(answer), AnswerTo(*nonce));
}

absl::Status Rehearsal::End() {
  absl::StatusOr<ExitReport> report = Reap(pidfd_);
  if (!report.ok()) {
    syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    waitpid(pid_, nullptr, 0);
    return absl::DeadlineExceededError(absl::StrCat("the new program has not said within ",
                                                    absl::FormatDuration(kPatience),
                                                    " that it can go on"));
  }
  if (report->clean && ReadAll(answer_) == expected_) return absl::OkStatus();
  const std::string line = LastLine(ReadAll(words_));
  if (report->clean) {
    return absl::FailedPreconditionError(
        absl::StrCat("the new program has ended without saying that it can go on (is it ",
                     "uring-cluster, and no older one?)", line.empty() ? "" : ": ", line));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the new program ", report->reason, line.empty() ? "" : ": ", line));
}

absl::Status ReplaceProgram(const std::string& binary, const std::vector<std::string>& arguments,
                            const UpgradeState& state) {
  absl::StatusOr<Fd> file = WriteMemfd(Encode(state));
  if (!file.ok()) return file.status();
  std::vector<int> kept = state.Descriptors();
  kept.push_back(file->get());
  absl::Status status = SetCloseOnExec(kept, false);
  if (status.ok()) {
    setenv(kStateVariable, absl::StrCat(file->get()).c_str(), 1);
    execv(binary.c_str(), ExecVector(arguments).data());
    status = absl::FailedPreconditionError(
        absl::StrCat(binary, ": cannot be executed: ", strerror(errno)));
    unsetenv(kStateVariable);
  }
  SetCloseOnExec(kept, true).IgnoreError();
  return status;
}

}  // namespace uc::coordinator
