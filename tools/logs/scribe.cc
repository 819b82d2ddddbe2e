#include "tools/logs/scribe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/log.h"
#include "tools/cluster_directory.h"
#include "tools/logs/line_maker.h"
#include "tools/logs/passage.h"
#include "tools/logs/rotated_file.h"

namespace uc::tools {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr int kLonelyLookMs = 5000;  // nobody writes: does anybody still need us?
constexpr int kLastReadsMax = 64;    // of one FIFO, when we leave and its writer goes on
constexpr size_t kCommandBytesMax = 64;

// One FIFO: what one worker writes into one of its streams.
struct Source {
  std::string path;
  Fd fd;
  uint32_t slot = 0;
  Stream stream = Stream::kOut;
  LineMaker lines;
};

// "3-17.err".
std::optional<Source> ParseName(const std::string& directory, absl::string_view name) {
  Source source;
  source.path = absl::StrCat(directory, "/", name);
  source.stream = absl::EndsWith(name, ".err") ? Stream::kErr : Stream::kOut;
  if (!absl::ConsumeSuffix(&name, ".out") && !absl::ConsumeSuffix(&name, ".err")) {
    return std::nullopt;
  }
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(name, absl::MaxSplits('-', 1));
  uint32_t generation = 0;
  if (!absl::SimpleAtoi(parts.first, &source.slot) ||
      !absl::SimpleAtoi(parts.second, &generation)) {
    return std::nullopt;
  }
  return source;
}

class Scribe {
 public:
  Scribe(const ScribeOptions& options, Fd commands)
      : options_(options),
        directory_(options.cluster_directory + "/output"),
        commands_(std::move(commands)),
        buffer_(kReadBytes, '\0') {}

  int Run() {
    // One at a time: who comes after us waits here until we have left.
    const Fd lock(
        open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) return 1;
    while (flock(lock.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return 1;
    }
    Look();
    while (!leaving_) Turn();
    Look();
    for (auto& [path, source] : sources_) Leave(*source);
    return 0;
  }

 private:
  void Turn() {
    std::vector<pollfd> polled = {{commands_.get(), POLLIN, 0}};
    std::vector<Source*> read;
    for (auto& [path, source] : sources_) {
      polled.push_back({source->fd.get(), POLLIN, 0});
      read.push_back(source.get());
    }
    const int ready = poll(polled.data(), polled.size(), read.empty() ? kLonelyLookMs : -1);
    if (ready < 0 && errno != EINTR) leaving_ = true;
    if (ready == 0 && !Needed()) leaving_ = true;
    if (ready <= 0) return;
    // First: what was asked for before a line was written holds for that line.
    if (polled[0].revents != 0) Obey();
    bool ended = false;
    for (size_t i = 0; i < read.size(); ++i) {
      if (polled[i + 1].revents == 0) continue;
      const bool data = Read(*read[i]);
      if (data || (polled[i + 1].revents & POLLHUP) == 0) continue;
      End(*read[i]);
      ended = true;
    }
    if (ended && sources_.empty() && !Needed()) leaving_ = true;
  }

  bool Needed() const { return CoordinatorLives(options_.cluster_directory); }

  // Opens what is new.
  void Look() {
    DIR* entries = opendir(directory_.c_str());
    if (entries == nullptr) return;
    while (const dirent* entry = readdir(entries)) {
      std::optional<Source> found = ParseName(directory_, entry->d_name);
      if (!found.has_value() || sources_.count(found->path) > 0) continue;
      found->fd.Reset(open(found->path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
      if (!found->fd.valid()) continue;
      auto source = std::make_unique<Source>(*std::move(found));
      const std::string path = source->path;
      sources_[path] = std::move(source);
    }
    closedir(entries);
  }

  // One piece. False: there was none.
  bool Read(Source& source) {
    const ssize_t size = read(source.fd.get(), buffer_.data(), buffer_.size());
    if (size <= 0) return false;
    const absl::string_view piece(buffer_.data(), static_cast<size_t>(size));
    Deliver(source, source.lines.Take(piece, Prefix(source)));
    return true;
  }

  void Leave(Source& source) {
    for (int i = 0; i < kLastReadsMax && Read(source); ++i) continue;
    Deliver(source, source.lines.End(Prefix(source)));
  }

  void End(Source& source) {
    Leave(source);
    unlink(source.path.c_str());
    sources_.erase(std::string(source.path));
  }

  std::string Prefix(const Source& source) const {
    std::string prefix;
    if (!options_.plan.date_format.empty()) {
      prefix = absl::StrCat(
          absl::FormatTime(options_.plan.date_format, absl::Now(), absl::LocalTimeZone()), ": ");
    }
    if (options_.plan.prefixed)
      absl::StrAppend(&prefix, options_.plan.name, " ", source.slot, " | ");
    return prefix;
  }

  void Deliver(const Source& source, const std::string& lines) {
    if (lines.empty()) return;
    const std::string path = PathOf(options_.plan, source.stream, source.slot);
    if (path.empty()) return (source.stream == Stream::kOut ? out_ : err_).Append(lines);
    auto found = files_.find(path);
    if (found == files_.end()) {
      found = files_
                  .emplace(path, std::make_unique<RotatedFile>(path, options_.plan.size_max,
                                                               options_.plan.files))
                  .first;
    }
    found->second->Append(lines);
  }

  // Byte by byte: what stands behind a "yield" is for the scribe after us.
  void Obey() {
    char byte = 0;
    while (!leaving_ && read(commands_.get(), &byte, 1) == 1) {
      if (byte != '\n') {
        if (command_.size() < kCommandBytesMax) command_.push_back(byte);
        continue;
      }
      Carry(std::exchange(command_, ""));
    }
  }

  void Carry(const std::string& command) {
    absl::string_view text = command;
    if (text == "look") return Look();
    if (text == "reopen") return Reopen();
    int successor = 0;
    if (text == "quit" || (absl::ConsumePrefix(&text, "yield ") &&
                           absl::SimpleAtoi(text, &successor) && successor != getpid())) {
      leaving_ = true;
    }
  }

  void Reopen() {
    for (auto& [path, file] : files_) file->Reopen();
    if (options_.log_file.empty()) return;
    const Fd log(open(options_.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (log.valid()) dup2(log.get(), STDERR_FILENO);
  }

  const ScribeOptions& options_;
  const std::string directory_;
  Fd commands_;
  std::string command_;  // the line that is being read
  std::string buffer_;
  std::map<std::string, std::unique_ptr<Source>> sources_;  // by path
  std::map<std::string, std::unique_ptr<RotatedFile>> files_;
  Passage out_{STDOUT_FILENO};
  Passage err_{STDERR_FILENO};
  bool leaving_ = false;
};

}  // namespace

int RunScribe(const ScribeOptions& options, Fd commands) {
  SetLogIdentity("scribe");
  signal(SIGPIPE, SIG_IGN);
  fcntl(commands.get(), F_SETFL, O_NONBLOCK);
  return Scribe(options, std::move(commands)).Run();
}

}  // namespace uc::tools
