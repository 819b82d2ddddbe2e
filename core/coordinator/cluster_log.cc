#include "core/coordinator/cluster_log.h"

#include <vector>

#include "core/base/clock.h"

namespace uc::coordinator {
namespace {

void Write(const std::vector<RepeatedLines::Line>& lines) {
  for (const RepeatedLines::Line& line : lines) Log(line.severity, line.text);
}

}  // namespace

void ClusterLog::Say(Severity severity, absl::string_view text) {
  Write(lines_.Take(MonotonicNow(), severity, text));
}

void ClusterLog::TellDue(absl::Time now) { Write(lines_.Due(now)); }

void ClusterLog::TellAll() { Write(lines_.All(MonotonicNow())); }

}  // namespace uc::coordinator
