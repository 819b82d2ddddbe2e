#include "core/scoreboard/process_start.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"

namespace uc::scoreboard {

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  const Fd file(open(absl::StrCat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  char text[1024];
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text) - 1) : -1;
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  // The name in parentheses may hold anything; the state is behind it, field 3.
  const char* const behind = strrchr(text, ')');
  char state = 0;
  int parent = 0;
  int group = 0;
  int session = 0;
  uint64_t start = 0;
  if (behind == nullptr ||
      sscanf(behind + 1,
             " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
             &state, &parent, &group, &session, &start) != 5) {
    return std::nullopt;
  }
  return ProcessStat{state, parent, group, session, start};
}

void ForEachProcess(absl::FunctionRef<bool(pid_t, const ProcessStat&)> visit) {
  struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
  };
  const std::unique_ptr<DIR, CloseDirectory> processes(opendir("/proc"));
  while (const dirent* entry = processes != nullptr ? readdir(processes.get()) : nullptr) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::optional<ProcessStat> stat = ReadProcessStat(pid);
    if (stat.has_value() && !visit(pid, *stat)) return;
  }
}

uint64_t ProcessStart(pid_t pid) {
  const std::optional<ProcessStat> stat = pid > 0 ? ReadProcessStat(pid) : std::nullopt;
  return stat.has_value() ? stat->start : 0;
}

}  // namespace uc::scoreboard
