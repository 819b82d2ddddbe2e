#include "tools/logs/log_verbs.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/log_folder.h"
#include "tools/cluster_directory.h"
#include "tools/logs/last_lines.h"
#include "tools/logs/line_maker.h"
#include "tools/print_error.h"
#include "tools/printable.h"
#include "tools/record.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;
constexpr int kFollowPeriodMs = 200;

// One file to be shown.
struct Shown {
  std::string path;
  std::string name;  // of the cluster
  int slot = -1;     // -1: of all, or the coordinator
  std::string type;  // "out", "err", "coordinator"
};

absl::StatusOr<std::vector<ClusterRecord>> FindRecords(const std::vector<std::string>& names,
                                                       const std::string& base) {
  if (absl::Status status = CheckReadable(base); !status.ok()) return status;
  const std::vector<std::string> known = ListRecords(base);
  std::vector<std::string> wanted = names;
  const bool all = names.empty() || (names.size() == 1 && names[0] == "all");
  if (all) wanted = known;
  std::vector<ClusterRecord> records;
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return NoCluster(base, name, known);
    }
    absl::StatusOr<ClusterRecord> record = ReadRecord(absl::StrCat(base, "/", name));
    if (!record.ok()) return record.status();
    if (!all && !record->captured && record->log_file.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cluster ", name, " writes to where it was started, into no file; ",
                       "start it with --daemon or --out-file"));
    }
    records.push_back(*std::move(record));
  }
  if (records.empty()) return absl::NotFoundError(absl::StrCat("no cluster in ", base));
  return records;
}

std::vector<Shown> FindFiles(const std::vector<ClusterRecord>& records,
                             const LogVerbOptions& options) {
  std::vector<Shown> files;
  for (const ClusterRecord& record : records) {
    for (const LogFile& file :
         record.captured ? FindLogFiles(record.logs) : std::vector<LogFile>()) {
      const bool out = file.stream == Stream::kOut;
      if (out ? options.only_err : options.only_out) continue;
      files.push_back({file.path, record.name, file.slot, out ? "out" : "err"});
    }
    if (!record.log_file.empty() && !options.only_err && !options.only_out) {
      files.push_back({record.log_file, record.name, -1, "coordinator"});
    }
  }
  return files;
}

// What other users could have put there is not shown as the workers' words.
int TellOfUntrusted(const std::vector<ClusterRecord>& records, const LogVerbOptions& options) {
  int exit_code = kExitDone;
  std::set<std::string> told;
  for (const Shown& shown : FindFiles(records, options)) {
    const absl::Status status =
        LogFolder::Open(shown.path, LogFolder::Missing::kIsAnError).status();
    const std::string folder = shown.path.substr(0, shown.path.rfind('/'));
    if (!absl::IsPermissionDenied(status) || !told.insert(folder).second) continue;
    PrintError(
        absl::StrCat(folder, ": the logs in this folder are not trusted: ", status.message()));
    exit_code = kExitOperator;
  }
  return exit_code;
}

std::string Prefix(const Shown& shown) {
  return absl::StrCat(Printable(shown.name), shown.slot < 0 ? "" : absl::StrCat(" ", shown.slot),
                      shown.type == "out" ? "" : absl::StrCat(" ", shown.type), " | ");
}

void Print(const Shown& shown, absl::string_view lines, const LogVerbOptions& options) {
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    if (line.empty() && line.data() + line.size() == lines.data() + lines.size()) break;
    std::string text;
    if (options.json) {
      nlohmann::ordered_json json = {{"app_name", shown.name}, {"type", shown.type}};
      if (shown.slot >= 0) json["process_id"] = shown.slot;
      json["message"] = std::string(line);
      text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    } else {
      text = absl::StrCat(options.raw ? "" : Prefix(shown), line);
    }
    text.push_back('\n');
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
}

// Until somebody interrupts us, or nobody reads us any more.
int Follow(const std::vector<ClusterRecord>& records, const LogVerbOptions& options) {
  struct Tail {
    Follower follower;
    LineMaker lines;
  };
  std::map<std::string, std::unique_ptr<Tail>> tails;
  for (bool first = true;; first = false) {
    for (const Shown& shown : FindFiles(records, options)) {
      auto found = tails.find(shown.path);
      if (found == tails.end()) {
        found = tails.emplace(shown.path, new Tail{Follower(shown.path), {}}).first;
        // A slot that came after us is shown whole.
        const size_t count = first ? static_cast<size_t>(options.lines) : SIZE_MAX;
        Tail& tail = *found->second;
        Print(shown, tail.lines.Take(tail.follower.LastLines(count), ""), options);
      }
      Tail& tail = *found->second;
      Print(shown, tail.lines.Take(tail.follower.ReadNew(), ""), options);
    }
    if (std::fflush(stdout) != 0) return kExitFailed;
    pollfd reader = {STDOUT_FILENO, 0, 0};
    poll(&reader, 1, kFollowPeriodMs);
    if ((reader.revents & POLLERR) != 0) return kExitDone;
  }
}

int Fail(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

}  // namespace

int RunLogs(const std::vector<std::string>& names, const LogVerbOptions& options) {
  const absl::StatusOr<std::vector<ClusterRecord>> records =
      FindRecords(names, options.base_directory);
  if (!records.ok()) return Fail(records.status());
  if (options.lines < 0) {
    return Fail(absl::InvalidArgumentError(
        absl::StrCat("--lines=", options.lines, " is out of range: 0 at least")));
  }
  const int exit_code = TellOfUntrusted(*records, options);
  if (options.follow) return std::max(exit_code, Follow(*records, options));
  for (const Shown& shown : FindFiles(*records, options)) {
    Print(shown, Follower(shown.path).LastLines(static_cast<size_t>(options.lines)), options);
  }
  return exit_code;
}

int RunFlush(const std::vector<std::string>& names, const LogVerbOptions& options) {
  const absl::StatusOr<std::vector<ClusterRecord>> records =
      FindRecords(names, options.base_directory);
  if (!records.ok()) return Fail(records.status());
  const std::vector<Shown> files = FindFiles(*records, options);
  for (const Shown& shown : files) {
    // Writers append: they go on at the new end.
    const absl::StatusOr<LogFolder> folder =
        LogFolder::Open(shown.path, LogFolder::Missing::kIsAnError);
    const absl::Status status = folder.ok() ? folder->Empty() : folder.status();
    if (!status.ok()) {
      PrintError(absl::StrCat(shown.path, ": cannot be emptied: ", status.message()));
      return absl::IsPermissionDenied(folder.status()) ? kExitOperator : kExitFailed;
    }
  }
  if (options.json) {
    std::printf("%s\n", nlohmann::ordered_json({{"flushed", files.size()}}).dump().c_str());
  } else {
    std::printf("flush: %zu %s emptied\n", files.size(), files.size() == 1 ? "file" : "files");
  }
  return kExitDone;
}

}  // namespace uc::tools
