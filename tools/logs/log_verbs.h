// `logs` and `flush`: what the workers and the coordinators of clusters have written. They ask nobody, and work
// on stopped clusters, too.
#ifndef TOOLS_LOGS_LOG_VERBS_H_
#define TOOLS_LOGS_LOG_VERBS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace uc::tools {

struct LogVerbOptions {
  std::string base_directory;
  int64_t lines = 15;
  bool follow = false;
  bool only_out = false;
  bool only_err = false;
  bool raw = false;   // without "web 3 | "
  bool json = false;  // an object a line
};

// Of these clusters; none or "all": of all that are there. Return the exit code.
int RunLogs(const std::vector<std::string>& names, const LogVerbOptions& options);
int RunFlush(const std::vector<std::string>& names, const LogVerbOptions& options);

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LOG_VERBS_H_
