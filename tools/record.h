// ClusterRecord: what `start` was told, kept in BASE/NAME/record (mode 0600). By it a stopped cluster can be started
// again as it was, and `logs` finds the files. A cluster that was started in the background keeps its record
// when it is stopped, until `delete`; one in the foreground belongs to whoever started it and leaves none.
// Words, names and values may hold any bytes: what is no UTF-8 is written as {"hex": "..."} in place of a string.
#ifndef TOOLS_RECORD_H_
#define TOOLS_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/logs/log_plan.h"

namespace uc::tools {

struct ClusterRecord {
  std::string name;
  std::vector<std::string> words;                // behind `start`
  std::string directory;                         // where it was started
  std::vector<std::string> environment;          // of `start`
  std::vector<std::string> program_environment;  // what only the program gets (exec::Carried)
  bool background = false;
  bool captured = false;  // the workers' output goes where `logs` says
  LogPlan logs;
  std::string log_file;               // the coordinator's; empty: it is no file
  std::optional<uint32_t> serves_as;  // the user of --user
};

// The working directory and environment of this process.
std::string WorkingDirectory();
std::vector<std::string> Environment();

// Whatever bytes they hold come back exactly.
std::string ToJson(const ClusterRecord& record);
// InvalidArgument: no such record.
absl::StatusOr<ClusterRecord> ParseRecord(const std::string& text);

// Of the cluster in `cluster_directory`, BASE/NAME. The file is there whole or not at all.
absl::Status WriteRecord(const std::string& cluster_directory, const ClusterRecord& record);
// NotFound: there is none.
absl::StatusOr<ClusterRecord> ReadRecord(const std::string& cluster_directory);
void RemoveRecord(const std::string& cluster_directory);

// Clusters below BASE that are remembered, running or not; sorted.
std::vector<std::string> ListRecords(const std::string& base);

}  // namespace uc::tools

#endif  // TOOLS_RECORD_H_
