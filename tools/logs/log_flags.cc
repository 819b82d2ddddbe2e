#include "tools/logs/log_flags.h"

#include "absl/flags/flag.h"
#include "tools/byte_size.h"

ABSL_FLAG(std::string, out_file, "", "file for the workers' stdout (with -SLOT before its ending)");
ABSL_FLAG(std::string, error_file, "", "file for the workers' stderr");
ABSL_FLAG(bool, merge_logs, false, "one file for all workers instead of one each");
ABSL_FLAG(uc::tools::ByteSizeFlag, log_max_size, {10 << 20},
          "a size is expected, such as 10M, 512K or 1G");
ABSL_FLAG(int64_t, log_files, 5, "rotated files that are kept of each");
ABSL_FLAG(bool, log_prefix, false, "'NAME SLOT | ' before each line of a worker");
ABSL_FLAG(bool, time, false, "the date before each line of a worker");
ABSL_FLAG(std::string, log_date_format, "", "the same, in this form: 'YYYY-MM-DD HH:mm:ss.SSS Z'");
// logs
ABSL_FLAG(int64_t, lines, 15, "logs: so many last lines of each file");
ABSL_FLAG(bool, follow, false, "logs: go on with what comes");
ABSL_FLAG(bool, f, false, "short for --follow");
ABSL_FLAG(bool, nostream, false, "logs: do not go on; PM2's word for what is our default");
ABSL_FLAG(bool, out, false, "logs: the workers' stdout only");
ABSL_FLAG(bool, err, false, "logs: the workers' stderr only");
ABSL_FLAG(bool, raw, false, "logs: lines as they are, without NAME SLOT");

namespace uc::tools {

constexpr char kDateFormat[] = "YYYY-MM-DDTHH:mm:ss";  // PM2's

FlagSet LogFlags() {
  return {"out_file",  "error_file", "merge_logs", "log_max_size",
          "log_files", "log_prefix", "time",       "log_date_format"};
}

LogRequest ReadLogFlags() {
  LogRequest request;
  request.out_file = absl::GetFlag(FLAGS_out_file);
  request.error_file = absl::GetFlag(FLAGS_error_file);
  request.size_max = absl::GetFlag(FLAGS_log_max_size).value;
  request.files = absl::GetFlag(FLAGS_log_files);
  request.date_format = absl::GetFlag(FLAGS_log_date_format);
  if (request.date_format.empty() && absl::GetFlag(FLAGS_time)) request.date_format = kDateFormat;
  request.merge = absl::GetFlag(FLAGS_merge_logs);
  request.prefix = absl::GetFlag(FLAGS_log_prefix);
  return request;
}

FlagSet LogVerbFlags() {
  return {"json", "run_dir", "lines", "follow", "f", "nostream", "out", "err", "raw"};
}

LogVerbOptions ReadLogVerbFlags() {
  LogVerbOptions options;
  options.lines = absl::GetFlag(FLAGS_lines);
  options.follow =
      (absl::GetFlag(FLAGS_follow) || absl::GetFlag(FLAGS_f)) && !absl::GetFlag(FLAGS_nostream);
  options.only_out = absl::GetFlag(FLAGS_out);
  options.only_err = absl::GetFlag(FLAGS_err);
  options.raw = absl::GetFlag(FLAGS_raw);
  return options;
}

}  // namespace uc::tools
