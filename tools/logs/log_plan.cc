#include "tools/logs/log_plan.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/log_folder.h"
#include "tools/logs/date_format.h"

namespace uc::tools {
namespace {

constexpr int64_t kSizeLeast = 4096;
constexpr int64_t kFilesMost = 1000;

// "/a/web-out.log" -> {"/a/web-out", ".log"}.
std::pair<std::string, std::string> SplitEnding(const std::string& path) {
  const size_t slash = path.rfind('/');
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot <= slash + 1))
    return {path, ""};
  return {path.substr(0, dot), path.substr(dot)};
}

bool IsDevice(const std::string& path) { return absl::StartsWith(path, "/dev/"); }

const std::string& FileOf(const LogPlan& plan, Stream stream) {
  return stream == Stream::kOut ? plan.out_file : plan.error_file;
}

absl::Status OpenForAMoment(const std::string& path) {
  const absl::StatusOr<LogFolder> folder = LogFolder::Open(path, LogFolder::Missing::kIsMade);
  return folder.ok() ? folder->OpenFile().status() : folder.status();
}

void Append(const LogPlan& plan, Stream stream, std::vector<LogFile>* files) {
  const std::string& path = FileOf(plan, stream);
  if (path.empty() || IsDevice(path)) return;
  if (plan.merged) {
    if (access(path.c_str(), F_OK) == 0) files->push_back({path, stream, -1});
    return;
  }
  const size_t slash = path.rfind('/');
  const auto [stem, ending] = SplitEnding(path.substr(slash + 1));
  const std::string folder = path.substr(0, slash + 1);
  DIR* entries = opendir(folder.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries)) {
    absl::string_view rest = entry->d_name;
    int slot = 0;
    if (absl::ConsumePrefix(&rest, stem) && absl::ConsumePrefix(&rest, "-") &&
        absl::ConsumeSuffix(&rest, ending) && absl::SimpleAtoi(rest, &slot) && slot >= 0) {
      files->push_back({folder + entry->d_name, stream, slot});
    }
  }
  closedir(entries);
}

}  // namespace

std::string Absolute(const std::string& path) {
  char cwd[PATH_MAX];
  if (path.empty() || path[0] == '/' || getcwd(cwd, sizeof(cwd)) == nullptr) return path;
  return absl::StrCat(cwd, "/", path);
}

bool IsCaptured(const LogRequest& request, Ground ground) {
  return ground == Ground::kBackground || request.prefix || !request.date_format.empty() ||
         !request.out_file.empty() || !request.error_file.empty();
}

absl::StatusOr<LogPlan> MakeLogPlan(const LogRequest& request, const std::string& name,
                                    Ground ground, const std::string& directory) {
  if (request.size_max < kSizeLeast) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--log-max-size=", request.size_max, " is out of range: ", kSizeLeast, " bytes at least"));
  }
  if (request.files < 0 || request.files > kFilesMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("--log-files=", request.files, " is out of range: 0 to ", kFilesMost));
  }
  LogPlan plan;
  plan.name = name;
  plan.out_file = Absolute(request.out_file);
  plan.error_file = Absolute(request.error_file);
  if (ground == Ground::kBackground) {
    const std::string folder = Absolute(directory);
    if (plan.out_file.empty()) plan.out_file = absl::StrCat(folder, "/", name, "-out.log");
    if (plan.error_file.empty()) plan.error_file = absl::StrCat(folder, "/", name, "-error.log");
  }
  plan.size_max = request.size_max;
  plan.files = static_cast<int>(request.files);
  if (!request.date_format.empty()) plan.date_format = ToAbslFormat(request.date_format);
  plan.merged = request.merge;
  plan.prefixed = request.prefix;
  return plan;
}

absl::Status CheckWritable(const LogPlan& plan) {
  for (const Stream stream : {Stream::kOut, Stream::kErr}) {
    if (FileOf(plan, stream).empty()) continue;
    const std::string path = PathOf(plan, stream, 0);
    if (OwnStreamAt(path) != OwnStream::kNone) continue;
    const absl::Status status = OpenForAMoment(path);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(stream == Stream::kOut ? "--out-file=" : "--error-file=", FileOf(plan, stream),
                     ": ", path, " cannot be opened: ", status.message(),
                     "; choose a file in a directory that you may write"));
  }
  return absl::OkStatus();
}

OwnStream OwnStreamAt(const std::string& path) {
  if (path.empty()) return OwnStream::kNone;
  if (path == "/dev/stdout") return OwnStream::kOut;
  return path == "/dev/stderr" ? OwnStream::kErr : OwnStream::kNone;
}

std::string PathOf(const LogPlan& plan, Stream stream, uint32_t slot) {
  const std::string& path = FileOf(plan, stream);
  if (path.empty() || plan.merged || IsDevice(path)) return path;
  const auto [stem, ending] = SplitEnding(path);
  return absl::StrCat(stem, "-", slot, ending);
}

std::vector<LogFile> FindLogFiles(const LogPlan& plan) {
  std::vector<LogFile> files;
  Append(plan, Stream::kOut, &files);
  if (plan.error_file != plan.out_file) Append(plan, Stream::kErr, &files);
  std::sort(files.begin(), files.end(), [](const LogFile& a, const LogFile& b) {
    return std::pair(a.slot, a.stream) < std::pair(b.slot, b.stream);
  });
  return files;
}

}  // namespace uc::tools
