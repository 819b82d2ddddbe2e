// ClusterLog: what the coordinator says about its cluster, into its log; what repeats itself is told with a count
// (core/base/repeated_lines.h).
#ifndef CORE_COORDINATOR_CLUSTER_LOG_H_
#define CORE_COORDINATOR_CLUSTER_LOG_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/log.h"
#include "core/base/repeated_lines.h"

namespace uc::coordinator {

class ClusterLog {
 public:
  ClusterLog() = default;
  ClusterLog(const ClusterLog&) = delete;
  ClusterLog& operator=(const ClusterLog&) = delete;
  ~ClusterLog() { TellAll(); }

  void Say(Severity severity, absl::string_view text);
  void Info(absl::string_view text) { Say(Severity::kInfo, text); }
  void Warn(absl::string_view text) { Say(Severity::kWarning, text); }
  // Due at due(): tells what was held back.
  void TellDue(absl::Time now);
  absl::Time due() const { return lines_.due(); }
  // This process ends, or becomes another program.
  void TellAll();

 private:
  RepeatedLines lines_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_CLUSTER_LOG_H_
