// uring-cluster-load: HTTP load that accounts for every attempt. See client.h; the flags are in options.cc.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/descriptor_limit.h"
#include "tools/load/crew.h"
#include "tools/load/options.h"
#include "tools/load/report.h"

namespace uc::load {
namespace {

constexpr int kExitLost = 1;
constexpr int kExitOperator = 2;

volatile sig_atomic_t interrupted = 0;

int Refuse(absl::string_view text) {
  std::fprintf(stderr, "error: %s\n", std::string(text).c_str());
  return kExitOperator;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// How far it is, on stderr: redrawn in place on a terminal, else a line a second.
class ProgressLine {
 public:
  explicit ProgressLine(Options::Progress kind)
      : kind_(kind), began_(MonotonicNow()), next_(began_ + Period()) {}

  absl::Time next() const {
    return kind_ == Options::Progress::kNone ? absl::InfiniteFuture() : next_;
  }
  void Show(const Crew& crew) {
    const absl::Time now = MonotonicNow();
    if (now < next()) return;
    const uint64_t answers = crew.answers();
    const double rate = static_cast<double>(answers - answers_) /
                        std::max(absl::ToDoubleSeconds(now - shown_), 1e-9);
    next_ = now + Period();
    shown_ = now;
    answers_ = answers;
    const bool live = kind_ == Options::Progress::kLive;
    std::fputs(absl::StrFormat("%s%.0f s: %d attempts, %d lost, %.0f answers/s%s",
                               live ? "\r\x1b[K" : "", absl::ToDoubleSeconds(now - began_),
                               crew.attempts(), crew.lost(), rate, live ? "" : "\n")
                   .c_str(),
               stderr);
  }
  void Clear() const {
    if (kind_ == Options::Progress::kLive) std::fputs("\r\x1b[K", stderr);
  }

 private:
  absl::Duration Period() const {
    return kind_ == Options::Progress::kLive ? absl::Milliseconds(250) : absl::Seconds(1);
  }

  const Options::Progress kind_;
  const absl::Time began_;
  absl::Time next_;
  absl::Time shown_ = began_;
  uint64_t answers_ = 0;
};

bool StdinEnded() {
  char bytes[256];
  return read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

// Until the crew has ended; tells it when it is enough.
void Watch(const Options& options, Crew& crew) {
  const bool by_stdin = options.end == Options::End::kByStdin;
  const absl::Time until = by_stdin ? absl::InfiniteFuture() : MonotonicNow() + options.duration;
  ProgressLine progress(options.progress);
  bool answering_said = false;
  bool enough = false;
  while (!crew.ended()) {
    const absl::Time wake = std::min(enough ? absl::InfiniteFuture() : until, progress.next());
    const int64_t wait_ms = wake == absl::InfiniteFuture()
                                ? 1000
                                : absl::ToInt64Milliseconds(wake - MonotonicNow()) + 1;
    pollfd watched[] = {{crew.news().get(), POLLIN, 0},
                        {by_stdin && !enough ? STDIN_FILENO : -1, POLLIN, 0}};
    poll(watched, 2, static_cast<int>(std::clamp<int64_t>(wait_ms, 0, 1000)));
    eventfd_t news = 0;
    eventfd_read(crew.news().get(), &news);
    if (crew.answering() && !answering_said) {
      answering_said = true;
      if (by_stdin) {  // somebody waits for that
        std::puts("{\"running\": true}");
        std::fflush(stdout);
      }
    }
    progress.Show(crew);
    if (MonotonicNow() >= until || interrupted != 0 || (watched[1].revents != 0 && StdinEnded())) {
      enough = true;
      crew.Enough();
    }
  }
  progress.Clear();
}

int Main() {
  const absl::StatusOr<Options> options = OptionsFromFlags();
  if (!options.ok()) return Refuse(options.status().message());
  RaiseDescriptorLimit();
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends us
  sigaction(SIGINT, &action, nullptr);
  Crew crew(*options);
  Watch(*options, crew);
  if (const absl::Status status = crew.Join(); !status.ok()) return Refuse(status.message());
  const Tally total = crew.Total();
  Course course = {crew.seconds(), CpuSeconds(), options->rate};
  if (options->buckets == Options::Buckets::kYes) course.buckets = Course::Buckets::kYes;
  const std::string report = options->output == Options::Output::kJson
                                 ? ToJson(total, course) + "\n"
                                 : ToText(total, course);
  std::fputs(report.c_str(), stdout);
  return total.lost() == 0 ? 0 : kExitLost;
}

// `--until-stdin-eof` is `--until_stdin_eof` to Abseil.
std::vector<std::string> WithUnderscores(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  for (std::string& word : words) {
    if (word.compare(0, 2, "--") != 0) continue;
    const size_t end = std::min(word.find('='), word.size());
    std::replace(word.begin() + 2, word.begin() + static_cast<ptrdiff_t>(end), '-', '_');
  }
  return words;
}

}  // namespace
}  // namespace uc::load

int main(int argc, char** argv) {
  std::vector<std::string> words = uc::load::WithUnderscores(argc, argv);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  absl::ParseCommandLine(static_cast<int>(pointers.size()), pointers.data());
  return uc::load::Main();
}
