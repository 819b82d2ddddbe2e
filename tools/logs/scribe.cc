#include "tools/logs/scribe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/log.h"
#include "core/base/own_log.h"
#include "tools/cluster_directory.h"
#include "tools/logs/delivery_journal.h"
#include "tools/logs/passage.h"
#include "tools/logs/rotated_file.h"
#include "tools/logs/source.h"

namespace uc::tools {
namespace {

constexpr int kLonelyLookMs = 5000;  // nobody writes: does anybody still need us?
constexpr int kLastReadsMax = 64;    // of one FIFO, when we leave and its writer goes on
constexpr size_t kCommandBytesMax = 64;
constexpr int kPartLookLeastMs = 1;  // between two looks at parts of lines
constexpr int kPartLookMostMs = 32;
constexpr int kEventsMax = 64;  // of a turn; the others come in the next

// A source, and what the kernel has said about it since it was last read to its end: it says each thing once.
struct Reading {
  std::unique_ptr<Source> source;
  bool waiting = true;  // there may be something to read
  bool ended = false;   // it has no writer any more
  size_t left = 0;      // part of a line, which stays in the FIFO until the rest is there
};

class Scribe {
 public:
  Scribe(const ScribeOptions& options, Fd commands)
      : options_(options),
        directory_(options.cluster_directory + "/output"),
        commands_(std::move(commands)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        log_(options.log_file, {options.plan.size_max, options.plan.files}) {}

  int Run() {
    // One at a time: who comes after us waits here until we have left.
    const Fd lock(
        open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid() || !Watch(commands_.get(), EPOLLIN, nullptr)) return 1;
    while (flock(lock.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return 1;
    }
    journal_.emplace(directory_ + "/journal");
    Look();
    FinishDelivery();
    while (leaving_ == Leaving::kNot) Turn();
    if (leaving_ == Leaving::kToSuccessor) return 0;  // which reads on where we have stopped
    Look();
    for (auto& [name, reading] : sources_) ReadLast(reading);
    return 0;
  }

 private:
  enum class Leaving { kNot, kToSuccessor, kForGood };

  void Turn() {
    epoll_event events[kEventsMax];
    const bool busy = std::any_of(sources_.begin(), sources_.end(),
                                  [](const auto& entry) { return entry.second.waiting; });
    const bool parts = std::any_of(sources_.begin(), sources_.end(),
                                   [](const auto& entry) { return entry.second.left > 0; });
    const int timeout = busy ? 0 : parts ? look_ms_ : sources_.empty() ? kLonelyLookMs : -1;
    const int count = epoll_wait(epoll_.get(), events, kEventsMax, timeout);
    if (count < 0 && errno != EINTR) leaving_ = Leaving::kForGood;
    if (count == 0 && sources_.empty() && !Needed()) leaving_ = Leaving::kForGood;
    if (count == 0 && parts && !busy) LookAtParts();
    bool commanded = false;
    for (int i = 0; i < count; ++i) {
      auto* const reading = static_cast<Reading*>(events[i].data.ptr);
      commanded |= reading == nullptr;
      if (reading == nullptr) continue;
      reading->waiting = true;
      reading->ended |= (events[i].events & EPOLLHUP) != 0;
    }
    // First: what was asked for before a line was written holds for that line.
    if (commanded) Obey();
    if (leaving_ == Leaving::kNot) Read();
  }

  // A piece of each source that has one, so that none waits for a chatty one.
  void Read() {
    bool ended = false;
    for (auto entry = sources_.begin(); entry != sources_.end();) {
      Reading& reading = entry->second;
      const auto here = entry++;
      if (!reading.waiting || Pour(reading)) continue;
      reading.waiting = false;
      if (!reading.ended) continue;
      ReadLast(reading);
      unlink(absl::StrCat(directory_, "/", here->first).c_str());
      sources_.erase(here);
      ended = true;
    }
    if (ended && sources_.empty() && !Needed()) leaving_ = Leaving::kForGood;
  }

  // A writer that fills a FIFO which was not empty, and waits for room, is no event: pipe_write() of Linux wakes
  // readers when it has written all. So a FIFO with part of a line is looked at now and then.
  void LookAtParts() {
    bool news = false;
    for (auto& [name, reading] : sources_) {
      reading.waiting = reading.left > 0 && reading.source->Waiting() > reading.left;
      news |= reading.waiting;
    }
    look_ms_ = news ? kPartLookLeastMs : std::min(2 * look_ms_, kPartLookMostMs);
  }

  bool Needed() const { return CoordinatorLives(options_.cluster_directory); }

  bool Watch(int fd, uint32_t events, Reading* reading) {
    epoll_event event = {};
    event.events = events;
    event.data.ptr = reading;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }

  // Opens what is new.
  void Look() {
    DIR* entries = opendir(directory_.c_str());
    if (entries == nullptr) return;
    while (const dirent* entry = readdir(entries)) {
      if (sources_.count(entry->d_name) > 0) continue;
      std::unique_ptr<Source> source = Source::Open(directory_, entry->d_name);
      if (source == nullptr) continue;
      Reading& reading = sources_[entry->d_name];
      reading.source = std::move(source);
      // Part of a line stays in its FIFO until the rest is there: only what comes new is an event (epoll(7)).
      if (!Watch(reading.source->fd(), EPOLLIN | EPOLLET, &reading)) {
        sources_.erase(entry->d_name);
        continue;
      }
      // Its worker may have ended while there was no log writer. (It had a writer before it had its name.)
      reading.source->AskForEnd();
    }
    closedir(entries);
  }

  // A log writer before us was killed in the middle of one.
  void FinishDelivery() {
    const std::optional<DeliveryJournal::Unfinished> unfinished = journal_->Read();
    if (!unfinished.has_value()) return;
    const auto found = sources_.find(unfinished->source);
    if (found != sources_.end()) {
      Source& source = *found->second.source;
      const std::string path = PathOf(options_.plan, source.stream(), source.slot());
      if (!path.empty() && FileAt(path).Finish(*unfinished)) {
        journal_->Taking();
        source.Take(unfinished->size);
      }
    }
    journal_->End();
  }

  // Whole lines; what is too long for a line, in parts. False: there were none.
  bool Pour(Reading& reading) {
    Source& source = *reading.source;
    const absl::string_view piece = source.Look(peeker_);
    size_t size = piece.rfind('\n') + 1;
    if (size == 0 && !piece.empty() &&
        (piece.size() == Peeker::kBytesMax || source.Stuck(piece.size()))) {
      size = piece.size();
    }
    reading.left = size > 0 ? 0 : piece.size();
    if (size == 0) return false;
    look_ms_ = kPartLookLeastMs;
    Deliver(source, piece.substr(0, size), "");
    return true;
  }

  // To the end; a last line that has none gets one.
  void ReadLast(Reading& reading) {
    for (int i = 0; i < kLastReadsMax && Pour(reading); ++i) continue;
    Source& source = *reading.source;
    const absl::string_view rest = source.Look(peeker_);
    if (!rest.empty() || source.torn()) Deliver(source, rest, "\n");
  }

  std::string Prefix(const Source& source) const {
    std::string prefix;
    if (!options_.plan.date_format.empty()) {
      prefix = absl::StrCat(
          absl::FormatTime(options_.plan.date_format, absl::Now(), absl::LocalTimeZone()), ": ");
    }
    if (options_.plan.prefixed)
      absl::StrAppend(&prefix, options_.plan.name, " ", source.slot(), " | ");
    return prefix;
  }

  // `ending`: behind the piece. Written first, taken out of the source then.
  void Deliver(Source& source, absl::string_view piece, absl::string_view ending) {
    const std::string path = PathOf(options_.plan, source.stream(), source.slot());
    Passage* const passage = PassageTo(path, source.stream());
    const std::string prefix = Prefix(source);
    do {
      const size_t first = std::min(piece.find('\n'), piece.size());
      size_t room =
          passage != nullptr ? SIZE_MAX : FileAt(path).MakeRoom(prefix.size() + first + 1);
      if (room == 0) room = SIZE_MAX;  // all of it is lost
      size_t size = 0;
      const std::string text = Lines(source, piece, prefix, ending, room, &size);
      if (passage != nullptr) {
        passage->Append(text);
        log_.Tend();
        source.Take(size);
      } else {
        journal_->Begin(source.name(), size);
        FileAt(path).Append(text, &*journal_);
        journal_->Taking();
        source.Take(size);
        journal_->End();
      }
      piece.remove_prefix(size);
    } while (!piece.empty());
  }

  // As many lines of `piece` as there is room for, one at least, `prefix` before each; `size`: of them in the piece.
  static std::string Lines(Source& source, absl::string_view piece, absl::string_view prefix,
                           absl::string_view ending, size_t room, size_t* size) {
    std::string text;
    do {
      const absl::string_view rest = piece.substr(*size);
      const size_t end = rest.find('\n');
      const absl::string_view line = rest.substr(0, end == absl::string_view::npos ? end : end + 1);
      const bool whole = end != absl::string_view::npos;
      const absl::string_view before = source.torn() ? "" : prefix;
      const absl::string_view behind = whole ? "" : ending;
      if (!text.empty() && text.size() + before.size() + line.size() + behind.size() > room) break;
      absl::StrAppend(&text, before, line, behind);
      source.set_torn(!whole && ending.empty());
      *size += line.size();
    } while (*size < piece.size());
    return text;
  }

  RotatedFile& FileAt(const std::string& path) {
    std::unique_ptr<RotatedFile>& file = files_[path];
    if (file == nullptr) {
      file = std::make_unique<RotatedFile>(path, options_.plan.size_max, options_.plan.files);
    }
    return *file;
  }

  Passage* PassageTo(const std::string& path, Stream stream) {
    const OwnStream own = OwnStreamAt(path);
    if (own == OwnStream::kOut || (path.empty() && stream == Stream::kOut)) return &out_;
    if (own == OwnStream::kErr || (path.empty() && stream == Stream::kErr)) return &err_;
    return nullptr;
  }

  // Byte by byte: what stands behind a "yield" is for the scribe after us.
  void Obey() {
    char byte = 0;
    while (leaving_ == Leaving::kNot && read(commands_.get(), &byte, 1) == 1) {
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
    if (text == "quit") leaving_ = Leaving::kForGood;
    if (absl::ConsumePrefix(&text, "yield ") && absl::SimpleAtoi(text, &successor) &&
        successor > 0 && successor != getpid() && (kill(successor, 0) == 0 || errno != ESRCH)) {
      // (One that was killed before it read this has no successor in us: nobody would be left.)
      leaving_ = Leaving::kToSuccessor;
    }
  }

  void Reopen() {
    for (auto& [path, file] : files_) file->Reopen();
    log_.Open().IgnoreError();  // the old one goes on
  }

  const ScribeOptions& options_;
  const std::string directory_;
  Fd commands_;
  std::string command_;  // the line that is being read
  const Fd epoll_;
  Peeker peeker_;
  int look_ms_ = kPartLookLeastMs;
  std::optional<DeliveryJournal> journal_;  // ours once we hold the lock
  std::map<std::string, Reading> sources_;  // by name
  std::map<std::string, std::unique_ptr<RotatedFile>> files_;
  OwnLog log_;  // our stderr
  Passage out_{STDOUT_FILENO};
  Passage err_{STDERR_FILENO};
  Leaving leaving_ = Leaving::kNot;
};

}  // namespace

int RunScribe(const ScribeOptions& options, Fd commands) {
  SetLogIdentity("scribe");
  signal(SIGPIPE, SIG_IGN);
  fcntl(commands.get(), F_SETFL, O_NONBLOCK);
  return Scribe(options, std::move(commands)).Run();
}

}  // namespace uc::tools
