#include "core/coordinator/program_group.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/identity.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

constexpr int kLookMs = 5;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// Of the program's session, and no older than the program.
bool MayBelongTo(const scoreboard::Report& report, const scoreboard::ProcessStat& stat) {
  return stat.session == report.program_session.load(std::memory_order_relaxed) &&
         stat.start >= report.program_start.load(std::memory_order_relaxed);
}

// The environment with which it was exec'd says that it belongs to this worker of this cluster. Where that cannot be
// read (another user's, without CAP_SYS_PTRACE) or is not there yet (in the middle of an exec), session and age decide.
bool BelongsTo(const scoreboard::Layout& layout, uint32_t index, pid_t pid,
               const scoreboard::ProcessStat& stat) {
  const scoreboard::WorkerRow& row = layout.workers[index];
  const scoreboard::Report& report = layout.reports.rows[index];
  const absl::string_view cluster =
      scoreboard::GetText(layout.header.name, sizeof(layout.header.name));
  std::ifstream file(absl::StrCat("/proc/", pid, "/environ"), std::ios::binary);
  if (!file.is_open() && errno == EACCES) return MayBelongTo(report, stat);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string environment = text.str();
  if (environment.empty()) return MayBelongTo(report, stat);
  int found = 0;
  for (const absl::string_view variable : absl::StrSplit(environment, '\0')) {
    found += variable == absl::StrCat("URING_CLUSTER_NAME=", cluster) ||
             variable == absl::StrCat("URING_CLUSTER_SLOT=", row.slot.load()) ||
             variable == absl::StrCat("URING_CLUSTER_GENERATION=", row.generation.load());
  }
  return found == 3;
}

// Zombies are nobody.
bool AnyMember(pid_t group,
               absl::FunctionRef<bool(pid_t, const scoreboard::ProcessStat&)> matches) {
  const std::unique_ptr<DIR, CloseDirectory> processes(opendir("/proc"));
  if (processes == nullptr) return false;
  while (const dirent* entry = readdir(processes.get())) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::optional<scoreboard::ProcessStat> stat = scoreboard::ReadProcessStat(pid);
    if (stat.has_value() && stat->group == group && stat->state != 'Z' && matches(pid, *stat))
      return true;
  }
  return false;
}

bool Anybody(pid_t, const scoreboard::ProcessStat&) { return true; }

bool IsEmpty(pid_t group) { return kill(-group, 0) != 0 && errno == ESRCH; }

}  // namespace

bool ProgramGroupLives(const scoreboard::Layout& layout, uint32_t row) {
  const scoreboard::Report& report = layout.reports.rows[row];
  const pid_t group = report.program_pid.load(std::memory_order_relaxed);
  if (group <= 1 || group == getpgrp() || IsEmpty(group)) return false;
  if (const std::optional<scoreboard::ProcessStat> leader = scoreboard::ReadProcessStat(group);
      leader.has_value()) {
    return leader->group == group &&
           leader->start == report.program_start.load(std::memory_order_relaxed) &&
           AnyMember(group, Anybody);
  }
  // A number is not given to anybody new as long as a group has it (free_pid() in kernel/pid.c).
  return AnyMember(group, [&](pid_t pid, const scoreboard::ProcessStat& stat) {
    return BelongsTo(layout, row, pid, stat);
  });
}

bool EndProgramGroup(const scoreboard::Layout& layout, uint32_t row) {
  const pid_t group = layout.reports.rows[row].program_pid.load(std::memory_order_relaxed);
  return ProgramGroupLives(layout, row) &&
         KillGroupAs(layout.header.program_user.load(), group, SIGKILL);
}

void EndProgramOf(const scoreboard::Layout& layout, uint32_t row) {
  const scoreboard::Report& report = layout.reports.rows[row];
  const pid_t group = report.program_pid.load(std::memory_order_relaxed);
  if (group <= 1 || group == getpgrp()) return;
  const uint64_t start = scoreboard::ProcessStart(group);
  if (start == 0 || start == report.program_start.load(std::memory_order_relaxed)) {
    KillGroupAs(layout.header.program_user.load(), group, SIGKILL);
  }
}

bool AwaitProgramGroup(const scoreboard::Layout& layout, uint32_t row, absl::Duration patience) {
  const absl::Time until = MonotonicNow() + patience;
  const pid_t group = layout.reports.rows[row].program_pid.load(std::memory_order_relaxed);
  // Its members are nobody's we know: no descriptor tells of their end.
  while (group > 1 && !IsEmpty(group) && AnyMember(group, Anybody)) {
    if (MonotonicNow() >= until) return false;
    poll(nullptr, 0, kLookMs);
  }
  return true;
}

}  // namespace uc::coordinator
