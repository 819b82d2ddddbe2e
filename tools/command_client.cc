#include "tools/command_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/scoreboard/process_start.h"
#include "tools/cluster_directory.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr int kAcceptPatienceMs = 15'000;
constexpr int kEndPatienceMs = 10'000;
constexpr absl::Duration kControlPatience = absl::Seconds(5);
constexpr int kControlLookMs = 20;
constexpr int kDyingMs = 1000;  // between the end of a process's descriptors and of itself

Fd OpenPidfd(pid_t pid) { return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

// The FIFO that the answer comes through; gone with this object.
class ReplyPipe {
 public:
  static absl::StatusOr<ReplyPipe> Make(const TrustedFolder& cluster) {
    absl::StatusOr<TrustedFolder> replies = cluster.OpenBelow("replies");
    if (!replies.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(replies.status().message(), "; no way back for the answer"));
    }
    const std::string ticket = absl::StrCat("cli-", getpid(), "-", MonotonicNanos());
    if (mkfifoat(replies->fd(), ticket.c_str(), 0600) != 0) {
      const int error = errno;
      return absl::ErrnoToStatus(
          error, absl::StrCat(replies->path(), ": no way back for the answer: ", strerror(error)));
    }
    ReplyPipe pipe(*std::move(replies), ticket);
    pipe.fd_ = pipe.folder_->OpenFifo(ticket, O_RDONLY);
    // A writer of our own: without one, poll would report the end before the coordinator has opened it.
    pipe.keep_ = pipe.folder_->OpenFifo(ticket, O_WRONLY);
    if (!pipe.fd_.valid() || !pipe.keep_.valid()) {
      return absl::ErrnoToStatus(errno, absl::StrCat(pipe.folder_->path(), "/", ticket));
    }
    return pipe;
  }
  ReplyPipe(ReplyPipe&& other) noexcept
      : folder_(std::exchange(other.folder_, std::nullopt)),
        ticket_(std::move(other.ticket_)),
        fd_(std::move(other.fd_)),
        keep_(std::move(other.keep_)) {}
  ~ReplyPipe() {
    if (folder_.has_value()) folder_->RemoveFile(ticket_);
  }
  const std::string& ticket() const { return ticket_; }

  // The command that is to be answered here is not carried out any more (core/coordinator/reply.h). False: it was taken.
  bool Withdraw() { return flock(fd_.get(), LOCK_EX | LOCK_NB) == 0; }

  int fd() const { return fd_.get(); }

  // Appends what is there. The first bytes prove that the coordinator has opened its end: our own writer
  // goes, and from then on the end of the coordinator's is the end of the pipe. False: that end is here.
  bool Read(std::string* text) {
    char buffer[4096];
    for (ssize_t size; (size = read(fd_.get(), buffer, sizeof(buffer))) != 0;) {
      if (size < 0) return true;
      text->append(buffer, static_cast<size_t>(size));
      keep_.Reset();
    }
    return false;
  }

 private:
  ReplyPipe(TrustedFolder folder, std::string ticket)
      : folder_(std::move(folder)), ticket_(std::move(ticket)) {}
  std::optional<TrustedFolder> folder_;
  std::string ticket_;
  Fd fd_;
  Fd keep_;
};

Fd WatchInterrupts() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

// By SIGSTOP and the like, or by a debugger.
bool IsHalted(pid_t pid) {
  const std::optional<scoreboard::ProcessStat> stat = scoreboard::ReadProcessStat(pid);
  return stat.has_value() && (stat->state == 'T' || stat->state == 't');
}

std::string HowToWake(pid_t pid) { return absl::StrCat(" ('kill -CONT ", pid, "' lets it go on)"); }

// Whatever was removed or replaced in the cluster's folder, a coordinator that lives makes it again within a second.
absl::StatusOr<Fd> OpenControl(const TrustedFolder& cluster) {
  const absl::Time until = MonotonicNow() + kControlPatience;
  for (;;) {
    Fd control = cluster.OpenFifo("control", O_WRONLY);
    if (control.valid()) return control;
    const std::string what = absl::StrCat(cluster.path(), "/control: ", strerror(errno));
    if (!CoordinatorLives(cluster)) {
      return absl::UnavailableError(absl::StrCat(what, "; the coordinator is gone"));
    }
    if (MonotonicNow() >= until) {
      return absl::UnavailableError(absl::StrCat(
          what, "; the coordinator lives, and has not made its pipe again (see its log)"));
    }
    poll(nullptr, 0, kControlLookMs);
  }
}

absl::Status WriteCommand(const TrustedFolder& cluster, const std::string& line) {
  // The coordinator may die between open and write.
  signal(SIGPIPE, SIG_IGN);
  const std::string path = cluster.path() + "/control";
  const absl::StatusOr<Fd> opened = OpenControl(cluster);
  if (!opened.ok()) return opened.status();
  const Fd& control = *opened;
  const ssize_t written = write(control.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(path, ": the control pipe is full: the coordinator does not read it"));
}

// Takes complete lines off `text`; true when the last one was the answer.
bool TakeLines(std::string* text, bool* accepted, Answer* answer,
               const std::function<void(absl::string_view)>& progress) {
  for (size_t end; (end = text->find('\n')) != std::string::npos; text->erase(0, end + 1)) {
    const std::pair<std::string, std::string> line =
        absl::StrSplit(absl::string_view(*text).substr(0, end), absl::MaxSplits(' ', 1));
    if (line.first == "accepted") {
      *accepted = true;
      continue;
    }
    if (line.first == "progress") {
      progress(line.second);
      continue;
    }
    *answer = {line.first, line.second};
    return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Answer> SendCommand(const std::string& directory, const std::string& command,
                                   const std::function<void(absl::string_view)>& progress) {
  int pid = 0;
  const absl::StatusOr<TrustedFolder> cluster = TrustedFolder::OpenCluster(directory);
  if (absl::IsNotFound(cluster.status())) return absl::UnavailableError("it is gone");
  if (!cluster.ok()) return cluster.status();
  if (!CoordinatorLives(*cluster)) return absl::UnavailableError("its coordinator is gone");
  if (!absl::SimpleAtoi(cluster->ReadLine("pid"), &pid)) {
    return absl::UnavailableError("its coordinator is gone, or has only just begun");
  }
  const Fd coordinator = OpenPidfd(pid);
  if (!coordinator.valid()) return absl::UnavailableError("its coordinator is gone");
  absl::StatusOr<ReplyPipe> reply = ReplyPipe::Make(*cluster);
  if (!reply.ok()) return reply.status();
  const Fd interrupts = WatchInterrupts();
  // The newline in front ends whatever torn line somebody left in the pipe.
  if (absl::Status status =
          WriteCommand(*cluster, absl::StrCat("\n@", reply->ticket(), " ", command, "\n"));
      !status.ok()) {
    return status;
  }
  std::string text;
  Answer answer;
  bool gone = false;
  bool accepted = false;
  bool was_halted = false;  // at the last look, with nothing heard since
  for (;;) {
    pollfd watched[] = {
        {reply->fd(), POLLIN, 0}, {coordinator.get(), POLLIN, 0}, {interrupts.get(), POLLIN, 0}};
    // Once it is accepted it takes as long as it takes, unless nobody is at it.
    const int ready = gone ? 0 : poll(watched, 3, kAcceptPatienceMs);
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
    if (ready == 0 && !gone) {
      const bool halted = IsHalted(pid);
      if (accepted && halted && was_halted) {
        return absl::DeadlineExceededError(
            absl::StrCat("the coordinator was stopped in the midst of the command", HowToWake(pid),
                         "; then it goes on with it"));
      }
      was_halted = halted;
      if (accepted) continue;
      // Else it is taken in this very moment.
      accepted = !reply->Withdraw();
      if (accepted) continue;
      return absl::DeadlineExceededError(
          absl::StrCat("the coordinator has not taken the command",
                       halted ? absl::StrCat(": it is stopped", HowToWake(pid))
                              : " (is it out of file descriptors, or starved of CPU?)",
                       "; it is withdrawn and will not be carried out"));
    }
    if (ready > 0) was_halted = false;
    if (!gone && watched[2].revents != 0) {
      return absl::CancelledError(!accepted && reply->Withdraw()
                                      ? "interrupted; the command is withdrawn"
                                      : "interrupted; the command itself goes on");
    }
    // What was said before the end is still in the pipe: read it first.
    const bool open = reply->Read(&text);
    if (TakeLines(&text, &accepted, &answer, progress)) break;
    if (gone) return absl::UnavailableError("its coordinator ended before it answered");
    // Its death closes the pipe a moment before the pidfd tells: only a living one has broken its word.
    pollfd watch = {coordinator.get(), POLLIN, 0};
    if (!open && poll(&watch, 1, kDyingMs) == 0) {
      return absl::InternalError("the coordinator closed the answer without one; see its log");
    }
    gone = watched[1].revents != 0;
  }
  if (command.rfind("stop", 0) == 0 && answer.outcome == "done" && !gone) {
    // The last thing that it does; who starts anew at once must not meet its lock.
    pollfd watch = {coordinator.get(), POLLIN, 0};
    poll(&watch, 1, kEndPatienceMs);
  }
  return answer;
}

}  // namespace uc::tools
