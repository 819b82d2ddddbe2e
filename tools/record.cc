#include "tools/record.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tools/cluster_directory.h"
#include "tools/config/json_text.h"
#include "tools/text_file.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kRecordBytesMax = 8 << 20;

std::string PathIn(const std::string& cluster_directory) { return cluster_directory + "/record"; }

// Bytes that are no UTF-8 become '?': a record must not fail because of an odd environment.
std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// The kernel would cut such words.
bool HoldsNul(const ClusterRecord& record) {
  std::vector<std::string> texts = record.words;
  texts.insert(texts.end(), record.environment.begin(), record.environment.end());
  texts.insert(texts.end(),
               {record.directory, record.logs.out_file, record.logs.error_file, record.log_file});
  return std::any_of(texts.begin(), texts.end(),
                     [](const std::string& text) { return text.find('\0') != std::string::npos; });
}

}  // namespace

std::string WorkingDirectory() {
  char path[PATH_MAX];
  return getcwd(path, sizeof(path)) != nullptr ? path : "/";
}

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) variables.emplace_back(*one);
  return variables;
}

std::string ToJson(const ClusterRecord& record) {
  const LogPlan& logs = record.logs;
  return Dump({{"version", 1},
               {"name", record.name},
               {"words", record.words},
               {"directory", record.directory},
               {"environment", record.environment},
               {"background", record.background},
               {"captured", record.captured},
               {"logs",
                {{"out_file", logs.out_file},
                 {"error_file", logs.error_file},
                 {"size_max", logs.size_max},
                 {"files", logs.files},
                 {"merged", logs.merged}}},
               {"log_file", record.log_file}});
}

absl::StatusOr<ClusterRecord> ParseRecord(const std::string& text) {
  const absl::StatusOr<Json> parsed = ParseJson(text, JsonComments::kRefused);
  const auto no_record = [] { return absl::InvalidArgumentError("is no record of a cluster"); };
  if (!parsed.ok() || !parsed->is_object()) return no_record();
  const Json& json = *parsed;
  // The one place where the library's exceptions may rise: a field of a wrong type.
  try {
    if (json.at("version") != 1) return no_record();
    ClusterRecord record;
    json.at("name").get_to(record.name);
    json.at("words").get_to(record.words);
    json.at("directory").get_to(record.directory);
    json.at("environment").get_to(record.environment);
    json.at("background").get_to(record.background);
    json.at("captured").get_to(record.captured);
    const Json& logs = json.at("logs");
    logs.at("out_file").get_to(record.logs.out_file);
    logs.at("error_file").get_to(record.logs.error_file);
    for (const char* number : {"size_max", "files"}) {  // 1e300 does not fit
      if (!logs.at(number).is_number_integer() || logs.at(number) < 0) return no_record();
    }
    if (logs.at("files") > INT_MAX) return no_record();
    logs.at("size_max").get_to(record.logs.size_max);
    logs.at("files").get_to(record.logs.files);
    logs.at("merged").get_to(record.logs.merged);
    json.at("log_file").get_to(record.log_file);
    record.logs.name = record.name;
    if (!CheckClusterName(record.name).ok() || HoldsNul(record)) return no_record();
    return record;
  } catch (const Json::exception&) {
    return no_record();
  }
}

absl::Status WriteRecord(const std::string& cluster_directory, const ClusterRecord& record) {
  return ReplaceTextFile(PathIn(cluster_directory), ToJson(record) + "\n");
}

absl::StatusOr<ClusterRecord> ReadRecord(const std::string& cluster_directory) {
  const std::string path = PathIn(cluster_directory);
  const absl::StatusOr<std::string> text = ReadTextFile(path, kRecordBytesMax);
  if (!text.ok()) return text.status();
  absl::StatusOr<ClusterRecord> record = ParseRecord(*text);
  if (record.ok()) return record;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", record.status().message()));
}

void RemoveRecord(const std::string& cluster_directory) {
  unlink(PathIn(cluster_directory).c_str());
}

std::vector<std::string> ListRecords(const std::string& base) {
  std::vector<std::string> names;
  DIR* directory = opendir(base.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (CheckClusterName(name).ok() &&
        access(absl::StrCat(base, "/", name, "/record").c_str(), F_OK) == 0) {
      names.push_back(name);
    }
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace uc::tools
