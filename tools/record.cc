#include "tools/record.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/cluster_directory.h"
#include "tools/text_file.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kRecordBytesMax = 8 << 20;

std::string PathIn(const std::string& cluster_directory) { return cluster_directory + "/record"; }

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// JSON is UTF-8, and paths, words and variables need not be.
Json FromBytes(const std::string& bytes) {
  const Json text = bytes;
  if (Json::parse(Dump(text), nullptr, false) == text) return text;
  return Json::object({{"hex", absl::BytesToHexString(bytes)}});
}

Json FromBytes(const std::vector<std::string>& all) {
  Json list = Json::array();
  for (const std::string& bytes : all) list.push_back(FromBytes(bytes));
  return list;
}

std::string ToBytes(const Json& json) {
  if (!json.is_object()) return json.get<std::string>();
  return absl::HexStringToBytes(json.at("hex").get<std::string>());
}

std::vector<std::string> ToListOfBytes(const Json& json) {
  std::vector<std::string> all;
  for (const Json& one : json.get<std::vector<Json>>()) all.push_back(ToBytes(one));
  return all;
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
               {"words", FromBytes(record.words)},
               {"directory", FromBytes(record.directory)},
               {"environment", FromBytes(record.environment)},
               {"program_environment", FromBytes(record.program_environment)},
               {"background", record.background},
               {"captured", record.captured},
               {"logs",
                {{"out_file", FromBytes(logs.out_file)},
                 {"error_file", FromBytes(logs.error_file)},
                 {"size_max", logs.size_max},
                 {"files", logs.files},
                 {"merged", logs.merged}}},
               {"log_file", FromBytes(record.log_file)}});
}

absl::StatusOr<ClusterRecord> ParseRecord(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  const auto no_record = [] { return absl::InvalidArgumentError("is no record of a cluster"); };
  if (!json.is_object() || json.value("version", Json()) != 1) return no_record();
  // The one place where the library's exceptions may rise: a field of a wrong type.
  try {
    ClusterRecord record;
    json.at("name").get_to(record.name);
    record.words = ToListOfBytes(json.at("words"));
    record.directory = ToBytes(json.at("directory"));
    record.environment = ToListOfBytes(json.at("environment"));
    // Missing in a record of an older version.
    record.program_environment = ToListOfBytes(json.value("program_environment", Json::array()));
    json.at("background").get_to(record.background);
    json.at("captured").get_to(record.captured);
    const Json& logs = json.at("logs");
    record.logs.out_file = ToBytes(logs.at("out_file"));
    record.logs.error_file = ToBytes(logs.at("error_file"));
    logs.at("size_max").get_to(record.logs.size_max);
    logs.at("files").get_to(record.logs.files);
    logs.at("merged").get_to(record.logs.merged);
    record.log_file = ToBytes(json.at("log_file"));
    record.logs.name = record.name;
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
