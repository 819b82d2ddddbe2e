#include "tools/run_coordinator.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/own_log.h"
#include "core/coordinator/coordinator.h"
#include "tools/logs/log_plan.h"
#include "tools/print_error.h"
#include "tools/printable.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;

absl::Status OpenLog(const coordinator::CoordinatorOptions& options) {
  const absl::Status status = OwnLog(options.log_file, options.log_limits).Open();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("--log-file=", options.log_file, ": cannot be opened: ", status.message(),
                   "; choose a file in a directory that you may write"));
}

// The child's half of --daemon: a session of its own, standard streams away from the terminal.
absl::Status Detach(const coordinator::CoordinatorOptions& options) {
  setsid();
  if (absl::Status status = OpenLog(options); !status.ok()) return status;
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  dup2(null.get(), STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return absl::OkStatus();
}

// What a daemon's child tells its parent, who has the terminal: one line, "CODE TEXT".
class Verdict {
 public:
  explicit Verdict(Fd fd) : fd_(std::move(fd)) {}
  void Say(int exit_code, absl::string_view text) {
    const std::string line = absl::StrCat(exit_code, " ", text);
    if (fd_.valid()) [[maybe_unused]]
      const ssize_t written = write(fd_.get(), line.data(), line.size());
    fd_.Reset();
  }

 private:
  Fd fd_;
};

int AwaitVerdict(const Fd& fd, const std::string& log_file) {
  std::string text;
  char buffer[512];
  for (ssize_t size; (size = read(fd.get(), buffer, sizeof(buffer))) != 0;) {
    if (size < 0 && errno != EINTR) break;
    if (size > 0) text.append(buffer, size);
  }
  int exit_code = kExitFailed;
  const size_t space = text.find(' ');
  if (space == std::string::npos || !absl::SimpleAtoi(text.substr(0, space), &exit_code)) {
    PrintError(absl::StrCat("the coordinator ended before the cluster was ready; its log, ",
                            log_file, ", says why"));
    return kExitFailed;
  }
  const std::string what = text.substr(space + 1);
  if (exit_code == kExitDone) {
    std::printf("%s\n", Printable(what).c_str());
  } else {
    PrintError(what);
  }
  return exit_code;
}

// What was there before is put back if nothing comes of this start.
class RecordWriter {
 public:
  RecordWriter(std::string directory, const ClusterRecord& record)
      : directory_(std::move(directory)), record_(record) {}

  void Begin() {
    former_ = ReadRecord(directory_);
    const absl::Status status = WriteRecord(directory_, record_);
    if (!status.ok()) LogWarning(status.message());
    begun_ = true;
  }
  // It was cleaned away.
  void WriteAgain() {
    const absl::Status status = WriteRecord(directory_, record_);
    if (!status.ok()) LogWarning(status.message());
  }
  void SetReady() { ready_ = true; }
  void End() {
    if (!begun_ || (record_.background && ready_)) return;
    RemoveRecord(directory_);
    if (former_.ok() && former_->background) WriteRecord(directory_, *former_).IgnoreError();
    rmdir(directory_.c_str());  // unless something else is in it
  }

 private:
  const std::string directory_;
  const ClusterRecord& record_;
  absl::StatusOr<ClusterRecord> former_ = absl::NotFoundError("");
  bool begun_ = false;
  bool ready_ = false;
};

// Where nobody sees what the workers say: the place to look, if they said anything.
std::string LastWords(const ClusterRecord& record, uint32_t slot) {
  if (!record.captured || record.logs.error_file.empty()) return "";
  const std::string path = PathOf(record.logs, Stream::kErr, slot);
  struct stat file;
  if (stat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode) || file.st_size == 0) return "";
  return absl::StrCat("; what it said is in ", path);
}

// Of a start that failed: what the first worker said, or what became of it.
std::string WhereToLook(const ClusterRecord& record) {
  const std::string words = LastWords(record, 0);
  return words.empty() ? absl::StrCat("; the log is ", record.log_file) : words;
}

// A start that is over, told to who waits for it.
void Tell(const coordinator::StartReport& report, const ClusterRecord& record,
          Incomplete incomplete, Verdict& verdict) {
  if (report.whole) return verdict.Say(kExitDone, report.line);
  verdict.Say(incomplete == Incomplete::kAllowed ? kExitDone : kExitFailed,
              absl::StrCat(report.line, LastWords(record, report.failed), "; the cluster goes on"));
}

int Run(coordinator::CoordinatorOptions options, const ClusterRecord& record, Incomplete incomplete,
        Verdict* verdict) {
  SetLogIdentity("coordinator");
  RecordWriter writer(options.directory, record);
  options.on_begun = [&writer] { writer.Begin(); };
  options.on_made_again = [&writer] { writer.WriteAgain(); };
  options.on_started = [&](const coordinator::StartReport& report) {
    writer.SetReady();
    if (verdict != nullptr) Tell(report, record, incomplete, *verdict);
  };
  const absl::StatusOr<coordinator::Ending> ending = coordinator::RunCoordinator(options);
  writer.End();
  const int exit_code = ending.ok() ? ending->exit_code : kExitOperator;
  if (exit_code == kExitDone) {
    if (!ending->asked) LogInfo(ending->text);
    // Heard by nobody where the start had ended before.
    if (verdict != nullptr && ending->asked) {
      verdict->Say(kExitFailed, "the cluster was stopped before it was ready");
    } else if (verdict != nullptr) {
      verdict->Say(exit_code, ending->text);
    }
    return exit_code;
  }
  const std::string text =
      ending.ok() ? absl::StrCat(ending->text, verdict != nullptr ? WhereToLook(record) : "")
                  : std::string(ending.status().message());
  if (verdict != nullptr) verdict->Say(exit_code, text);
  PrintError(text);
  return exit_code;
}

}  // namespace

int RunHere(const coordinator::CoordinatorOptions& options, const ClusterRecord& record) {
  return Run(options, record, Incomplete::kAllowed, nullptr);
}

int RunLogging(const coordinator::CoordinatorOptions& options, const ClusterRecord& record) {
  if (absl::Status status = OpenLog(options); !status.ok()) {
    PrintError(status.message());
    return kExitOperator;
  }
  return RunHere(options, record);
}

int RunBehind(const coordinator::CoordinatorOptions& options, const ClusterRecord& record,
              Incomplete incomplete) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    PrintError(absl::StrCat("pipe: ", strerror(errno)));
    return kExitFailed;
  }
  Fd reader(ends[0]);
  Verdict verdict{Fd(ends[1])};
  const pid_t child = fork();
  if (child < 0) {
    PrintError(absl::StrCat("no process for the coordinator: ", strerror(errno)));
    return kExitFailed;
  }
  if (child > 0) {
    verdict = Verdict(Fd());
    return AwaitVerdict(reader, options.log_file);
  }
  reader.Reset();
  if (absl::Status status = Detach(options); !status.ok()) {
    verdict.Say(kExitOperator, status.message());
    return kExitOperator;
  }
  return Run(options, record, incomplete, &verdict);
}

}  // namespace uc::tools
