#include "core/coordinator/program_group.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/identity.h"
#include "core/link/program_mark.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

constexpr int kLookMs = 5;
constexpr int kRoundsMax = 4;

// Of the program's session, and no older than the program.
bool MayBelongTo(const scoreboard::Report& report, const scoreboard::ProcessStat& stat) {
  return stat.session == report.program_session.load(std::memory_order_relaxed) &&
         stat.start >= report.program_start.load(std::memory_order_relaxed);
}

// "KEY=VALUE", as it was exec'd; nullopt: it cannot be read (another user's, without CAP_SYS_PTRACE), or is not there
// yet (in the middle of an exec).
std::optional<std::vector<std::string>> EnvironmentOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/environ"), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string environment = text.str();
  if (environment.empty()) return std::nullopt;
  return absl::StrSplit(environment, '\0');
}

// It says that it belongs to this worker of this cluster.
bool Names(const std::vector<std::string>& environment, const scoreboard::Layout& layout,
           uint32_t index) {
  const scoreboard::WorkerRow& row = layout.workers[index];
  const absl::string_view cluster =
      scoreboard::GetText(layout.header.name, sizeof(layout.header.name));
  int found = 0;
  for (const std::string& variable : environment) {
    found += variable == absl::StrCat(link::kNameVariable, "=", cluster) ||
             variable == absl::StrCat(link::kSlotVariable, "=", row.slot.load()) ||
             variable == absl::StrCat(link::kGenerationVariable, "=", row.generation.load());
  }
  return found == 3;
}

// Its environment says so; where there is none to read, session and age decide.
bool BelongsTo(const scoreboard::Layout& layout, uint32_t index, pid_t pid,
               const scoreboard::ProcessStat& stat) {
  const std::optional<std::vector<std::string>> environment = EnvironmentOf(pid);
  if (environment.has_value()) return Names(*environment, layout, index);
  return MayBelongTo(layout.reports.rows[index], stat);
}

// Zombies are nobody.
bool AnyMember(pid_t group,
               absl::FunctionRef<bool(pid_t, const scoreboard::ProcessStat&)> matches) {
  bool any = false;
  scoreboard::ForEachProcess([&](pid_t pid, const scoreboard::ProcessStat& stat) {
    any = stat.group == group && stat.state != 'Z' && matches(pid, stat);
    return !any;
  });
  return any;
}

// Those that have left the program's group, once: how many. A worker that has ended its program itself says so
// (program_pid), and nobody looks for them.
int EndStragglers(const scoreboard::Layout& layout, uint32_t index) {
  const auto kind = static_cast<scoreboard::AppKind>(layout.header.program.load());
  const scoreboard::WorkerRow& row = layout.workers[index];
  const pid_t worker = row.pid.load(std::memory_order_relaxed);
  if (kind != scoreboard::AppKind::kBehindFronts || worker <= 0) return 0;
  const std::string mark = absl::StrCat(link::kNotifyVariable, "=", link::NotifyNameOf(worker));
  const uint64_t born = row.process_start.load(std::memory_order_relaxed);
  int ended = 0;
  scoreboard::ForEachProcess([&](pid_t pid, const scoreboard::ProcessStat& stat) {
    if (stat.state == 'Z' || stat.start < born || pid == getpid()) return true;
    const std::optional<std::vector<std::string>> environment = EnvironmentOf(pid);
    if (!environment.has_value() || !Names(*environment, layout, index)) return true;
    const bool marked =
        std::any_of(environment->begin(), environment->end(),
                    [&](const std::string& variable) { return absl::StartsWith(variable, mark); });
    if (marked && KillAs(layout.header.program_user.load(), pid, SIGKILL)) ++ended;
    return true;
  });
  return ended;
}

// Until nobody is seen any more: some may have been started meanwhile.
bool EndAllStragglers(const scoreboard::Layout& layout, uint32_t row) {
  int rounds = 0;
  while (rounds < kRoundsMax && EndStragglers(layout, row) > 0) ++rounds;
  return rounds > 0;
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
  const bool ended = ProgramGroupLives(layout, row) &&
                     KillGroupAs(layout.header.program_user.load(), group, SIGKILL);
  return (group > 1 && EndAllStragglers(layout, row)) || ended;
}

void EndProgramOf(const scoreboard::Layout& layout, uint32_t row) {
  const scoreboard::Report& report = layout.reports.rows[row];
  const pid_t group = report.program_pid.load(std::memory_order_relaxed);
  if (group > 1 && group != getpgrp()) {
    const uint64_t start = scoreboard::ProcessStart(group);
    if (start == 0 || start == report.program_start.load(std::memory_order_relaxed)) {
      KillGroupAs(layout.header.program_user.load(), group, SIGKILL);
    }
    EndAllStragglers(layout, row);
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
