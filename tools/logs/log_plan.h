// LogPlan: where each line that a worker writes goes, and in which form. From the flags of `start`; the scribe
// carries it out, `logs` and `flush` find the files by it.
#ifndef TOOLS_LOGS_LOG_PLAN_H_
#define TOOLS_LOGS_LOG_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace uc::tools {

enum class Stream { kOut, kErr };

// As given; nothing is checked yet.
struct LogRequest {
  std::string out_file;    // empty: not given
  std::string error_file;  // empty: not given
  int64_t size_max = 10 << 20;
  int64_t files = 5;
  std::string date_format;  // in moment's letters; empty: none
  bool merge = false;
  bool prefix = false;
};

struct LogPlan {
  std::string name;         // of the cluster
  std::string out_file;     // absolute; empty: passed through to the scribe's own stdout
  std::string error_file;   // the same for stderr
  int64_t size_max = 0;     // a file that would grow past this is rotated
  int files = 0;            // old ones that are kept: FILE.1 is the youngest
  std::string date_format;  // absl::FormatTime's; empty: lines have no date
  bool merged = false;      // one file for all slots
  bool prefixed = false;    // "web 3 | " before each line
};

// From where we are; an empty path stays empty.
std::string Absolute(const std::string& path);

enum class Ground { kForeground, kBackground };

// Does anybody have to read what the workers write? In the foreground they simply inherit the terminal, unless
// something is to be done with their lines.
bool IsCaptured(const LogRequest& request, Ground ground);
// In the background without a file of its own a stream goes into DIRECTORY/NAME-out.log, NAME-error.log.
// InvalidArgument names the flag that is wrong.
absl::StatusOr<LogPlan> MakeLogPlan(const LogRequest& request, const std::string& name,
                                    Ground ground, const std::string& directory);
// Opens each file for a moment as the log writer will (core/base/log_folder.h), making it and the folders above it.
// InvalidArgument: what, where, cure.
absl::Status CheckWritable(const LogPlan& plan);

// "/dev/stdout" and "/dev/stderr" are the log writer's own, which are the cluster's; no file.
enum class OwnStream { kNone, kOut, kErr };
OwnStream OwnStreamAt(const std::string& path);

// The file of one slot: "/var/log/web-out.log" is "/var/log/web-out-3.log", unless merged or below /dev.
std::string PathOf(const LogPlan& plan, Stream stream, uint32_t slot);

// What there is on the disk, without rotated ones, by slot.
struct LogFile {
  std::string path;
  Stream stream = Stream::kOut;
  int slot = -1;  // -1: of all slots
};
std::vector<LogFile> FindLogFiles(const LogPlan& plan);

}  // namespace uc::tools

#endif  // TOOLS_LOGS_LOG_PLAN_H_
