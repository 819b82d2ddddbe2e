#include "tools/monit/monit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "tools/cluster_directory.h"
#include "tools/monit/frame.h"
#include "tools/print_error.h"
#include "tools/text_file.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitOperator = 2;
constexpr int kPeriodMs = 1000;
constexpr int kOncePeriodMs = 300;
constexpr size_t kProcBytesMax = 4096;
constexpr size_t kLinesWithoutTerminal = 10'000;

// utime and stime are fields 14 and 15 of /proc/PID/stat, resident pages field 24 (proc(5)).
ProcessLoad LoadOf(int pid) {
  ProcessLoad load;
  const absl::StatusOr<std::string> text =
      ReadTextFile(absl::StrCat("/proc/", pid, "/stat"), kProcBytesMax);
  if (!text.ok()) return load;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*text).substr(text->rfind(')') + 1), ' ', absl::SkipEmpty());
  int64_t user = 0, system = 0, pages = 0;
  if (fields.size() > 21 && absl::SimpleAtoi(fields[11], &user) &&
      absl::SimpleAtoi(fields[12], &system) && absl::SimpleAtoi(fields[21], &pages)) {
    load.cpu = absl::Seconds(user + system) / sysconf(_SC_CLK_TCK);
    load.resident = pages * sysconf(_SC_PAGESIZE);
  }
  return load;
}

Look TakeLook(const std::vector<std::string>& names, const std::string& base) {
  Look look;
  look.at = MonotonicNow();
  for (const std::string& name : names.empty() ? ListClusters(base) : names) {
    absl::StatusOr<ClusterView> view = ViewCluster(absl::StrCat(base, "/", name), look.at);
    if (!view.ok()) continue;  // it has just ended
    for (const WorkerView& worker : view->workers) {
      look.processes[ProcessOf(worker)] = LoadOf(ProcessOf(worker));
    }
    look.clusters.push_back(*std::move(view));
  }
  return look;
}

// The terminal as we found it comes back at the end: keys without Enter and echo, no cursor, a page of its own.
class Screen {
 public:
  Screen() {
    keyed_ = tcgetattr(STDIN_FILENO, &found_) == 0;
    if (keyed_) {
      termios quiet = found_;
      quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    Write("\033[?1049h\033[?25l");
  }
  ~Screen() {
    Write("\033[?25h\033[?1049l");
    if (keyed_) tcsetattr(STDIN_FILENO, TCSANOW, &found_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool keyed() const { return keyed_; }
  void Draw(const std::string& text) {
    // Over the old picture, so that nothing flickers; each line's rest and what is below is cleared.
    Write(absl::StrCat("\033[H", absl::StrReplaceAll(text, {{"\n", "\033[K\r\n"}}), "\033[J"));
  }
  static size_t Lines() {
    winsize size = {};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 3) return 24;
    return size.ws_row;
  }

 private:
  static void Write(const std::string& text) {
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
  }
  termios found_ = {};
  bool keyed_ = false;
};

int Live(const std::vector<std::string>& names, const std::string& base) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const Fd signals(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  Screen screen;
  Look before = TakeLook(names, base);
  for (;;) {
    const Look now = TakeLook(names, base);
    screen.Draw(absl::StrCat("uring-cluster monit  (q quits)\n\n",
                             Frame(before, now, Screen::Lines() - 3)));
    before = now;
    pollfd watched[] = {{signals.get(), POLLIN, 0},
                        {screen.keyed() ? STDIN_FILENO : -1, POLLIN, 0}};
    poll(watched, 2, kPeriodMs);
    signalfd_siginfo info;
    if (watched[0].revents != 0 && read(signals.get(), &info, sizeof(info)) == sizeof(info) &&
        info.ssi_signo != SIGWINCH) {
      return kExitDone;
    }
    char key = 0;
    if (watched[1].revents != 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')) {
      return kExitDone;
    }
  }
}

}  // namespace

int RunMonit(const std::vector<std::string>& names, const MonitOptions& options) {
  const std::string& base = options.base_directory;
  if (absl::Status status = CheckReadable(base); !status.ok()) {
    PrintError(status.message());
    return kExitOperator;
  }
  for (const std::string& name : names) {
    if (absl::Status status = ResolveCluster(base, name).status(); !status.ok()) {
      PrintError(status.message());
      return kExitOperator;
    }
  }
  int exit_code = kExitDone;
  for (const std::string& name : names.empty() ? ListClusters(base) : names) {
    const absl::Status status = TrustedFolder::OpenCluster(absl::StrCat(base, "/", name)).status();
    if (!absl::IsPermissionDenied(status)) continue;
    PrintError(status.message());
    exit_code = kExitOperator;
  }
  if (exit_code != kExitDone && !names.empty()) return exit_code;
  if (!options.once && !options.json && isatty(STDOUT_FILENO) == 1) return Live(names, base);
  const Look before = TakeLook(names, base);
  poll(nullptr, 0, kOncePeriodMs);  // rates are of a moment, not of an instant
  const Look now = TakeLook(names, base);
  const std::string text =
      options.json ? FrameJson(before, now) + "\n" : Frame(before, now, kLinesWithoutTerminal);
  std::fputs(text.c_str(), stdout);
  return exit_code;
}

}  // namespace uc::tools
