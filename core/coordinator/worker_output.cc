#include "core/coordinator/worker_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/coordinator/spawner.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kScribeRestartPause = absl::Seconds(1);
constexpr int kLastWordsMs = 1000;
// What a worker may write while nobody reads, before it has to wait. The default of 64 KiB is an instant of a
// chatty program; more than this would soon meet the user's limit for pipes (pipe(7)).
constexpr int kPipeBytes = 256 << 10;
constexpr size_t kUnreadMax = 4096;

}  // namespace

WorkerOutput::WorkerOutput(std::string binary, std::vector<std::string> scribe_arguments,
                           std::string cluster_directory, Streams streams)
    : binary_(std::move(binary)),
      scribe_arguments_(std::move(scribe_arguments)),
      directory_(std::move(cluster_directory) + "/output"),
      streams_(streams) {}

void WorkerOutput::Begin(absl::Time now) {
  if (!captured()) return;
  const std::string path = directory_ + "/wake";
  if ((mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) ||
      (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST)) {
    LogError(absl::StrCat(path, ": cannot be made: ", strerror(errno),
                          "; the workers' output goes into this log"));
    return;
  }
  wake_.Reset(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!wake_.valid()) {
    LogError(absl::StrCat(path, ": ", strerror(errno)));
    return;
  }
  StartScribe(now);
}

void WorkerOutput::MakeAgain() {
  if (wake_.valid() && mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
    LogWarning(absl::StrCat(directory_, ": cannot be made: ", strerror(errno)));
  }
}

void WorkerOutput::StartScribe(absl::Time now) {
  scribe_born_ = now;
  // The FIFO of commands takes the place of a worker's link.
  absl::StatusOr<Spawned> spawned = SpawnWorker(binary_, scribe_arguments_, wake_.get());
  if (!spawned.ok()) {
    LogError(absl::StrCat("no scribe for the workers' output: ", spawned.status().message()));
    return;
  }
  scribe_ = spawned->pid;
  scribe_pidfd_ = std::move(spawned->pidfd);
  Say(absl::StrCat("yield ", scribe_, "\n"));
}

OutputStreams WorkerOutput::Open(policy::WorkerId worker) {
  OutputStreams streams;
  if (!wake_.valid()) return streams;
  ForgetRead();
  const std::string base = absl::StrCat(directory_, "/", worker.slot, "-", worker.generation);
  if (streams_ == Streams::kBoth) streams.out = OpenStream(base + ".out");
  streams.err = OpenStream(base + ".err");
  Say("look\n");
  return streams;
}

Fd WorkerOutput::OpenStream(const std::string& path) {
  // It gets its name when it has a writer: without one, the log writer would wait at it for ever where we die here.
  const std::string unnamed = directory_ + "/new";
  unlink(unnamed.c_str());
  Fd reader;
  Fd writer;
  if (mkfifo(unnamed.c_str(), 0600) == 0) {
    // A program that runs as another user may open its own stdout again (/dev/stdout); to everybody else the folder
    // is closed.
    chmod(unnamed.c_str(), 0622);
    reader.Reset(open(unnamed.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    writer.Reset(open(unnamed.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  }
  if (!reader.valid() || !writer.valid() || rename(unnamed.c_str(), path.c_str()) != 0) {
    LogWarning(absl::StrCat(path, ": ", strerror(errno), "; this output goes into this log"));
    unlink(unnamed.c_str());
    return Fd();
  }
  fcntl(writer.get(), F_SETPIPE_SZ, kPipeBytes);
  unread_.push_back(std::move(reader));
  if (unread_.size() > kUnreadMax) unread_.pop_front();
  return writer;
}

void WorkerOutput::ForgetRead() {
  std::erase_if(unread_, [](const Fd& reader) {
    struct stat status;
    return fstat(reader.get(), &status) != 0 || status.st_nlink == 0;
  });
}

void WorkerOutput::OnExit(pid_t pid) {
  if (pid != scribe_ || pid == 0) return;
  scribe_ = 0;
  scribe_pidfd_.Reset();
  LogWarning("the scribe of the workers' output has ended; a new one goes on");
}

void WorkerOutput::Tend(absl::Time now) {
  if (!wake_.valid() || scribe_ != 0 || now < scribe_born_ + kScribeRestartPause) return;
  StartScribe(now);
}

void WorkerOutput::Say(const std::string& line) {
  // Full: a scribe that is not there has enough to read when it comes, and it looks at everything then.
  if (wake_.valid()) [[maybe_unused]]
    const ssize_t written = write(wake_.get(), line.data(), line.size());
}

void WorkerOutput::End() {
  if (!wake_.valid()) return;
  Say("quit\n");
  if (scribe_ != 0) {
    pollfd watch = {scribe_pidfd_.get(), POLLIN, 0};
    poll(&watch, 1, kLastWordsMs);
  }
  if (DIR* entries = opendir(directory_.c_str()); entries != nullptr) {
    while (const dirent* entry = readdir(entries)) unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
  }
  rmdir(directory_.c_str());
  wake_.Reset();
}

}  // namespace uc::coordinator
