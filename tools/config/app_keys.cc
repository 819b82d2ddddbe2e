#include "tools/config/app_keys.h"

#include <map>
#include <set>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

// PM2's other names for what we call otherwise (lib/API/schema.json of PM2 7).
const std::map<std::string, std::string>& Synonyms() {
  static const auto* synonyms = new std::map<std::string, std::string>{
      {"exec_interpreter", "interpreter"},
      {"interpreterArgs", "interpreter_args"},
      {"node_args", "interpreter_args"},
      {"out", "out_file"},
      {"output", "out_file"},
      {"error", "error_file"},
      {"err_file", "error_file"},
      {"combine_logs", "merge_logs"},
      {"uid", "user"},
      {"gid", "group"},
      {"cron", "cron_restart"},
      {"backoff_restart_delay", "exp_backoff_restart_delay"},
  };
  return *synonyms;
}

// Words about this command line, not about a cluster.
const std::set<std::string>& NeverKeys() {
  static const auto* keys = new std::set<std::string>{"daemon", "run_dir", "i", "f", "only", "env"};
  return *keys;
}

bool IsSwitch(const std::string& flag) {
  const absl::CommandLineFlag* found = absl::FindCommandLineFlag(flag);
  return found != nullptr && found->IsOfType<bool>();
}

}  // namespace

std::string FlagOfKey(const std::string& key, const FlagSet& flags) {
  const auto synonym = Synonyms().find(key);
  const std::string flag =
      synonym != Synonyms().end() ? synonym->second : absl::StrReplaceAll(key, {{"-", "_"}});
  return flags.count(flag) > 0 && NeverKeys().count(flag) == 0 ? flag : "";
}

bool IsImplied(const std::string& key) {
  static const auto* keys = new std::set<std::string>{
      "exec_mode", "autostart", "treekill", "vizion", "pmx", "automation", "source_map_support"};
  return keys->count(key) > 0;
}

absl::StatusOr<std::string> ScalarText(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_boolean()) return std::string(value.get<bool>() ? "true" : "false");
  if (value.is_number_unsigned()) return absl::StrCat(value.get<uint64_t>());
  if (value.is_number_integer()) return absl::StrCat(value.get<int64_t>());
  if (value.is_number()) return absl::StrCat(value.get<double>());
  return absl::InvalidArgumentError("a string, a number or true/false is expected");
}

absl::StatusOr<std::vector<std::string>> WordsOf(const std::string& flag, const Json& value) {
  std::vector<std::string> words;
  if (IsSwitch(flag)) {
    const bool on = value.is_boolean() ? value.get<bool>() : value == "true";
    if (!value.is_boolean() && value != "true" && value != "false") {
      return absl::InvalidArgumentError("true or false is expected");
    }
    words.push_back(on ? Dashed(flag) : absl::StrCat("--no-", Dashed(flag).substr(2)));
    return words;
  }
  const bool list = value.is_array();
  // Several arguments of an interpreter are one flag.
  if (list && flag == "interpreter_args") {
    const auto arguments = ArgumentsOf(value);
    if (!arguments.ok()) return arguments.status();
    return std::vector<std::string>{
        absl::StrCat(Dashed(flag), "=", absl::StrJoin(*arguments, " "))};
  }
  for (const Json& one : list ? value : Json::array({value})) {
    const absl::StatusOr<std::string> text = ScalarText(one);
    if (!text.ok()) return text.status();
    words.push_back(absl::StrCat(Dashed(flag), "=", *text));
  }
  return words;
}

absl::StatusOr<std::vector<std::string>> ArgumentsOf(const Json& value) {
  std::vector<std::string> words;
  if (value.is_array()) {
    for (const Json& one : value) {
      absl::StatusOr<std::string> text = ScalarText(one);
      if (!text.ok()) return text.status();
      words.push_back(*std::move(text));
    }
    return words;
  }
  const absl::StatusOr<std::string> text = ScalarText(value);
  if (!text.ok()) return absl::InvalidArgumentError("a string or an array of them is expected");
  std::string word;
  bool begun = false;
  char quote = '\0';
  for (const char c : *text) {
    if (quote == '\0' && absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (begun) words.push_back(word);
      word.clear();
      begun = false;
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
      begun = true;
    } else if (c == quote) {
      quote = '\0';
    } else {
      word.push_back(c);
      begun = true;
    }
  }
  if (begun) words.push_back(word);
  return words;
}

}  // namespace uc::tools
