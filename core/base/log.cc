#include "core/base/log.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace uc {
namespace {

constexpr size_t kTextMax = 2000;

// Written once at start-up, read afterwards: the only mutable state of this folder.
std::string& Identity() {
  static std::string* identity = new std::string("uring-cluster");
  return *identity;
}

Severity g_threshold = Severity::kInfo;
std::atomic<int> g_lost{0};

// A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)); files and terminals always do.
bool StderrTakesALine() {
  pollfd watch = {STDERR_FILENO, POLLOUT, 0};
  return poll(&watch, 1, 0) == 1 && (watch.revents & POLLOUT) != 0;
}

absl::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info ";
    case Severity::kWarning:
      return "warn ";
    case Severity::kError:
      return "error";
  }
  return "?";
}

}  // namespace

void SetLogIdentity(std::string identity) { Identity() = std::move(identity); }

void SetLogThreshold(Severity severity) { g_threshold = severity; }

void Log(Severity severity, absl::string_view text) {
  if (severity < g_threshold) return;
  if (!StderrTakesALine()) {
    ++g_lost;
    return;
  }
  std::string line =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()), " ",
                   Name(severity), " ", Identity(), ": ");
  if (const int lost = g_lost.exchange(0); lost > 0)
    absl::StrAppend(&line, "(", lost, " lines lost) ");
  for (const char c : text.substr(0, kTextMax)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    line.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
  }
  line.push_back('\n');
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace uc
