#include "tools/config/ecosystem.h"

#include <stdint.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "tools/config/app_keys.h"
#include "tools/config/json_text.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kAppsMax = 1000;
constexpr size_t kShownMax = 60;

std::string Shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kShownMax);
}

// The app's name as PM2 makes it: its script's, without folders and ending.
std::string NameOf(const std::string& script) {
  const std::string base = script.substr(script.rfind('/') + 1);
  const size_t dot = base.rfind('.');
  return dot == std::string::npos || dot == 0 ? base : base.substr(0, dot);
}

// One app of the file.
class AppReader {
 public:
  AppReader(const Json& json, std::string place, const EcosystemOptions& options, Ecosystem& result)
      : json_(json), place_(std::move(place)), options_(options), result_(result) {}

  absl::Status Read() {
    if (!json_.is_object()) return Wrong("", json_, "an object {...} is expected");
    absl::StatusOr<std::string> script = TextAt({"script", "cmd", "command"});
    if (!script.ok()) return script.status();
    if (script->empty()) {
      return absl::InvalidArgumentError(absl::StrCat(place_, ": \"script\" is missing"));
    }
    if (absl::StartsWith(*script, "-")) {  // `start` would take it for a flag
      return Wrong("script", *script, "a path or a name that does not begin with '-' is expected");
    }
    absl::StatusOr<std::string> name = TextAt({"name"});
    if (!name.ok()) return name.status();
    spec_.name = name->empty() ? NameOf(*script) : *name;
    place_ = absl::StrCat(place_, " (", spec_.name, ")");
    spec_.words = {*script, absl::StrCat("--name=", spec_.name)};
    for (const auto& [key, value] : json_.items()) {
      if (absl::Status status = TakeKey(key, value); !status.ok()) return status;
    }
    if (absl::Status status = TakeInstances(); !status.ok()) return status;
    if (!arguments_.empty()) {
      spec_.words.push_back("--");
      spec_.words.insert(spec_.words.end(), arguments_.begin(), arguments_.end());
    }
    if (absl::Status status = CheckTexts(); !status.ok()) return status;
    if (wanted_) {
      result_.apps.push_back(std::move(spec_));
    } else {
      result_.notes.push_back(absl::StrCat(place_, ": \"autostart\" is false: it is left out"));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(const std::string& key, const Json& value, absl::string_view expected) const {
    return absl::InvalidArgumentError(
        absl::StrCat(place_, key.empty() ? "" : ".", key, ": ", expected, ", not ", Shown(value)));
  }

  absl::StatusOr<std::string> TextAt(std::initializer_list<const char*> keys) const {
    for (const char* key : keys) {
      const auto found = json_.find(key);
      if (found == json_.end()) continue;
      if (!found->is_string()) return Wrong(key, *found, "a string is expected");
      return found->get<std::string>();
    }
    return std::string();
  }

  absl::Status TakeKey(const std::string& key, const Json& value) {
    static const auto* done =
        new std::set<std::string>{"script", "cmd", "command", "name", "instances"};
    if (key == "autostart" && value == false) {
      wanted_ = false;
      return absl::OkStatus();
    }
    if (done->count(key) > 0 || IsImplied(key) || value.is_null()) return absl::OkStatus();
    if (key == "args") {
      absl::StatusOr<std::vector<std::string>> words = ArgumentsOf(value);
      if (!words.ok()) return Wrong(key, value, words.status().message());
      arguments_ = *std::move(words);
      return absl::OkStatus();
    }
    if (key == "cwd") {
      if (!value.is_string()) return Wrong(key, value, "a string is expected");
      spec_.directory = value.get<std::string>();
      return absl::OkStatus();
    }
    if (key == "env") return TakeEnvironment(key, value, /*order=*/0);
    if (absl::StartsWith(key, "env_")) {
      if (key.substr(4) != options_.environment) return absl::OkStatus();
      return TakeEnvironment(key, value, /*order=*/1);
    }
    if (key == "disable_logs" && value == true) {
      spec_.words.insert(spec_.words.end(), {"--out-file=/dev/null", "--error-file=/dev/null"});
      return absl::OkStatus();
    }
    const std::string flag = FlagOfKey(key, options_.flags);
    if (flag.empty()) {
      result_.notes.push_back(absl::StrCat(place_, ": \"", key.substr(0, kShownMax),
                                           "\" is not known here and is ignored"));
      return absl::OkStatus();
    }
    const absl::StatusOr<std::vector<std::string>> words = WordsOf(flag, value);
    if (!words.ok()) return Wrong(key, value, words.status().message());
    spec_.words.insert(spec_.words.end(), words->begin(), words->end());
    return absl::OkStatus();
  }

  // "env" first, whatever the order in the file: what comes later wins.
  absl::Status TakeEnvironment(const std::string& key, const Json& value, int order) {
    if (!value.is_object()) return Wrong(key, value, "an object {\"KEY\": \"value\"} is expected");
    std::vector<std::pair<std::string, std::string>> variables;
    for (const auto& [variable, content] : value.items()) {
      // PM2's programs get objects as their text.
      variables.emplace_back(variable, content.is_structured() || content.is_null()
                                           ? Shown(content)
                                           : *ScalarText(content));
    }
    const auto at = order == 0 ? spec_.environment.begin() : spec_.environment.end();
    spec_.environment.insert(at, variables.begin(), variables.end());
    return absl::OkStatus();
  }

  // What the kernel would cut, or take for something else.
  absl::Status CheckTexts() const {
    std::vector<std::string> texts = spec_.words;
    texts.push_back(spec_.directory);
    for (const auto& [name, value] : spec_.environment) {
      if (name.empty() || absl::StrContains(name, '=')) {
        return Wrong("env", name, "names that are not empty and hold no '=' are expected");
      }
      texts.insert(texts.end(), {name, value});
    }
    for (const std::string& text : texts) {
      if (!absl::StrContains(text, '\0')) continue;
      return Wrong("", text, "texts without a NUL byte are expected");
    }
    return absl::OkStatus();
  }

  // PM2 runs one if nothing is said; 0 and "max": all cores; -1: all but one.
  absl::Status TakeInstances() {
    const auto found = json_.find("instances");
    const Json& value = found == json_.end() ? Json(1) : *found;
    int64_t count = 0;
    const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX;
    if (value.is_number_integer() && fits) {
      count = value.get<int64_t>();
    } else if (!value.is_string() ||
               (value != "max" && !absl::SimpleAtoi(value.get_ref<const std::string&>(), &count))) {
      return Wrong("instances", value, "a whole number or \"max\" is expected");
    }
    if (count < 0) count = std::max<int64_t>(1, options_.cores + count);
    // Our own key says more than PM2's silence.
    if (found == json_.end() && json_.contains("workers")) return absl::OkStatus();
    spec_.words.push_back(absl::StrCat("--workers=", count));
    return absl::OkStatus();
  }

  const Json& json_;
  std::string place_;
  const EcosystemOptions& options_;
  Ecosystem& result_;
  AppSpec spec_;
  std::vector<std::string> arguments_;
  bool wanted_ = true;
};

absl::Status KeepOnly(const EcosystemOptions& options, Ecosystem& ecosystem) {
  if (options.only.empty()) return absl::OkStatus();
  std::vector<AppSpec> kept;
  for (const std::string& name : options.only) {
    const auto found = std::find_if(ecosystem.apps.begin(), ecosystem.apps.end(),
                                    [&](const AppSpec& app) { return app.name == name; });
    if (found == ecosystem.apps.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--only=", name, ": ", options.where, " has no such app; it has ",
          absl::StrJoin(ecosystem.apps, ", ",
                        [](std::string* out, const AppSpec& app) { out->append(app.name); })));
    }
    kept.push_back(*found);
  }
  ecosystem.apps = std::move(kept);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ecosystem> ParseEcosystem(const std::string& text, const EcosystemOptions& options) {
  const absl::StatusOr<Json> json = ParseJson(text, JsonComments::kIgnored);  // as PM2's files have
  if (!json.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(options.where, ": ", json.status().message()));
  }
  Ecosystem ecosystem;
  const bool wrapped = json->is_object() && json->contains("apps");
  const Json& apps = wrapped ? json->at("apps") : *json;
  if (!apps.is_array() && !apps.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.where, ": {\"apps\": [...]}, an array or an app is expected, not ", Shown(apps)));
  }
  if (wrapped) {
    for (const auto& [key, value] : json->items()) {
      if (key == "apps") continue;
      ecosystem.notes.push_back(absl::StrCat(options.where, ": \"", key.substr(0, kShownMax),
                                             "\" is not known here and is ignored"));
    }
  }
  const Json list = apps.is_array() ? apps : Json::array({apps});
  if (list.empty()) return absl::InvalidArgumentError(options.where + ": there is no app in it");
  if (list.size() > kAppsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.where, ": has ", list.size(), " apps; ", kAppsMax, " at most"));
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = apps.is_array() ? absl::StrCat(options.where, ": apps[", i, "]")
                                              : options.where + ": the app";
    const absl::Status status = AppReader(list[i], place, options, ecosystem).Read();
    if (!status.ok()) return status;
  }
  std::set<std::string> names;
  for (const AppSpec& app : ecosystem.apps) {
    if (!names.insert(app.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.where, ": two apps are named ", app.name));
    }
  }
  if (absl::Status status = KeepOnly(options, ecosystem); !status.ok()) return status;
  return ecosystem;
}

absl::string_view SampleEcosystem() {
  return R"({
  "apps": [
    {
      "name": "web",
      "script": "hello",
      "instances": "max",
      "listen": ["127.0.0.1:8080"],
      "kill_timeout": "10s",
      "env": { "NODE_ENV": "development" },
      "env_production": { "NODE_ENV": "production" }
    },
    {
      "name": "files",
      "script": "static",
      "args": ["/srv/www"],
      "instances": 2,
      "listen": "127.0.0.1:8081"
    }
  ]
}
)";
}

}  // namespace uc::tools
