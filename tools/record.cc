#include "tools/record.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/cluster_directory.h"
#include "tools/config/json_text.h"
#include "tools/printable.h"
#include "tools/text_file.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kRecordBytesMax = 8 << 20;

constexpr char kFile[] = "record";

// JSON is UTF-8; environments, words and paths are bytes. What is no UTF-8 stands as {"base64": "..."}.
Json Bytes(const std::string& text) {
  if (IsUtf8(text)) return text;
  return {{"base64", absl::Base64Escape(text)}};
}

Json Bytes(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.push_back(Bytes(text));
  return list;
}

// Throws Json::exception, as get_to() does.
void GetBytes(const Json& json, std::string& text) {
  if (json.is_object() &&
      absl::Base64Unescape(json.at("base64").get_ref<const std::string&>(), &text)) {
    return;
  }
  json.get_to(text);
}

void GetBytes(const Json& json, std::vector<std::string>& texts) {
  texts.clear();
  for (const Json& one : json.get_ref<const Json::array_t&>()) {
    GetBytes(one, texts.emplace_back());
  }
}

// The kernel would cut such words.
bool HoldsNul(const ClusterRecord& record) {
  std::vector<std::string> texts = record.words;
  for (const auto* environment : {&record.environment, &record.program_environment}) {
    texts.insert(texts.end(), environment->begin(), environment->end());
  }
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
  Json json({{"version", 1},
             {"name", record.name},
             {"words", Bytes(record.words)},
             {"directory", Bytes(record.directory)},
             {"environment", Bytes(record.environment)},
             {"program_environment", Bytes(record.program_environment)},
             {"background", record.background},
             {"captured", record.captured},
             {"logs",
              {{"out_file", Bytes(logs.out_file)},
               {"error_file", Bytes(logs.error_file)},
               {"size_max", logs.size_max},
               {"files", logs.files},
               {"merged", logs.merged}}},
             {"log_file", Bytes(record.log_file)}});
  if (record.serves_as.has_value()) json["serves_as"] = *record.serves_as;
  return json.dump(2);
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
    GetBytes(json.at("words"), record.words);
    GetBytes(json.at("directory"), record.directory);
    GetBytes(json.at("environment"), record.environment);
    // Missing in a record of an older version.
    if (json.contains("program_environment")) {
      GetBytes(json.at("program_environment"), record.program_environment);
    }
    json.at("background").get_to(record.background);
    json.at("captured").get_to(record.captured);
    const Json& logs = json.at("logs");
    GetBytes(logs.at("out_file"), record.logs.out_file);
    GetBytes(logs.at("error_file"), record.logs.error_file);
    for (const char* number : {"size_max", "files"}) {  // 1e300 does not fit
      if (!logs.at(number).is_number_integer() || logs.at(number) < 0) return no_record();
    }
    if (logs.at("files") > INT_MAX) return no_record();
    logs.at("size_max").get_to(record.logs.size_max);
    logs.at("files").get_to(record.logs.files);
    logs.at("merged").get_to(record.logs.merged);
    GetBytes(json.at("log_file"), record.log_file);
    if (json.contains("serves_as")) {
      if (!json.at("serves_as").is_number_unsigned()) return no_record();
      record.serves_as = json.at("serves_as").get<uint32_t>();
    }
    record.logs.name = record.name;
    if (!CheckClusterName(record.name).ok() || HoldsNul(record)) return no_record();
    return record;
  } catch (const Json::exception&) {
    return no_record();
  }
}

absl::Status WriteRecord(const std::string& cluster_directory, const ClusterRecord& record) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(cluster_directory);
  if (!folder.ok()) return folder.status();
  return ReplaceTextFile(*folder, kFile, ToJson(record) + "\n");
}

absl::StatusOr<ClusterRecord> ReadRecord(const std::string& cluster_directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(cluster_directory);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<std::string> text = ReadTextFile(*folder, kFile, kRecordBytesMax);
  if (!text.ok()) return text.status();
  absl::StatusOr<ClusterRecord> record = ParseRecord(*text);
  if (record.ok()) return record;
  return absl::InvalidArgumentError(
      absl::StrCat(cluster_directory, "/", kFile, ": ", record.status().message()));
}

void RemoveRecord(const std::string& cluster_directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(cluster_directory);
  if (folder.ok()) folder->RemoveFile(kFile);
}

std::vector<std::string> ListRecords(const std::string& base) { return ListWith(base, kFile); }

}  // namespace uc::tools
