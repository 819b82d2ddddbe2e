#include "tools/start_others.h"

#include <algorithm>
#include <cstdio>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/app/load.h"
#include "core/base/usable_cores.h"
#include "core/exec/carried.h"
#include "core/exec/program.h"
#include "core/front/proxy.h"
#include "tools/cluster_directory.h"
#include "tools/config/config_file.h"
#include "tools/lifecycle.h"
#include "tools/print_error.h"
#include "tools/subprocess.h"
#include "tools/trusted_folder.h"

ABSL_FLAG(uc::tools::TextList, only, uc::tools::TextList{},
          "of a config file: these apps only; separated by commas");

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitOperator = 2;
constexpr char kAll[] = "all";

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

// --env=production; --env=KEY=VALUE is something else.
std::string EnvironmentName() {
  const absl::CommandLineFlag* flag = absl::FindCommandLineFlag("env");
  if (flag == nullptr) return "";
  std::string name;
  for (const absl::string_view one :
       absl::StrSplit(flag->CurrentValue(), AnyList::kBetween, absl::SkipEmpty())) {
    if (!absl::StrContains(one, '=')) name = std::string(one);
  }
  return name;
}

void SetVariable(std::vector<std::string>& environment, const std::string& key,
                 const std::string& value) {
  std::erase_if(environment, [&](const std::string& one) {
    return absl::StartsWith(one, absl::StrCat(key, "="));
  });
  environment.push_back(absl::StrCat(key, "=", value));
}

// What came of several starts.
class Outcomes {
 public:
  void Add(const std::string& name, int exit_code) {
    ++count_;
    worst_ = std::max(worst_, exit_code);
    if (exit_code != kExitDone)
      failed_.push_back(absl::StrCat(name, " (exit code ", exit_code, ")"));
  }
  int Conclude() const {
    if (!failed_.empty() && count_ > 1) {
      PrintError(
          absl::StrCat(failed_.size(), " of ", count_, " failed: ", absl::StrJoin(failed_, ", ")));
    }
    return worst_;
  }

 private:
  size_t count_ = 0;
  int worst_ = kExitDone;
  std::vector<std::string> failed_;
};

// `start WORDS --daemon` in our base.
Subprocess Starting(const std::string& base, const std::vector<std::string>& words) {
  std::vector<std::string> all = {"start", absl::StrCat("--run-dir=", base), "--daemon"};
  const std::vector<std::string> own = OwnWords(words);
  all.insert(all.end(), own.begin(), own.end());
  return Ourselves(std::move(all));
}

int RunIt(const Subprocess& subprocess) {
  const absl::StatusOr<int> exit_code = Run(subprocess);
  return exit_code.ok() ? *exit_code : Refuse(exit_code.status());
}

int StartApp(const std::string& base, const AppSpec& app, WhenRunning when_running) {
  const std::string directory = absl::StrCat(base, "/", app.name);
  if (CoordinatorLives(directory) && when_running == WhenRunning::kReload) {
    const absl::StatusOr<ClusterRecord> record = ReadRecord(directory);
    if (record.ok() && OwnWords(record->words) != app.words) {
      PrintError(absl::StrCat(app.name,
                              ": runs with other words than the file's, and a reload keeps ",
                              "them; startOrRestart takes the file's"));
    }
    return RunIt(Ourselves({"reload", app.name, absl::StrCat("--run-dir=", base)}));
  }
  if (CoordinatorLives(directory) && when_running == WhenRunning::kRestart) {
    const int stopped = RunIt(Ourselves({"stop", app.name, absl::StrCat("--run-dir=", base)}));
    if (stopped != kExitDone) return stopped;
  }
  Subprocess starting = Starting(base, app.words);
  starting.directory = app.directory;
  for (const auto& [key, value] : app.environment) {
    SetVariable(starting.environment, exec::Carried(key), value);
  }
  return RunIt(starting);
}

// Built in, a file, or a program in PATH.
bool IsApp(const std::string& word) {
  exec::ProgramOptions program;
  program.path = word;
  return app::IsBuiltIn(word) || front::IsProxy(word) ||
         !absl::IsNotFound(exec::FindProgram(program).status());
}

}  // namespace

FlagSet ConfigFlags() { return {"only"}; }

int StartConfig(const std::string& base, const std::string& file, const FlagSet& start_flags,
                WhenRunning when_running) {
  EcosystemOptions options;
  options.where = file == "-" ? "stdin" : file;
  options.flags = start_flags;
  options.only = absl::GetFlag(FLAGS_only).values;
  options.environment = EnvironmentName();
  options.cores = UsableCores();
  const absl::StatusOr<std::string> text = ReadConfig(file);
  if (!text.ok()) return Refuse(text.status());
  const absl::StatusOr<Ecosystem> ecosystem = ParseEcosystem(*text, options);
  if (!ecosystem.ok()) return Refuse(ecosystem.status());
  for (const std::string& note : ecosystem->notes) PrintError(note);
  Outcomes outcomes;
  for (const AppSpec& app : ecosystem->apps)
    outcomes.Add(app.name, StartApp(base, app, when_running));
  return outcomes.Conclude();
}

int StartAgain(const std::string& base, const std::vector<ClusterRecord>& records) {
  Outcomes outcomes;
  for (const ClusterRecord& record : records) {
    Subprocess starting = Starting(base, record.words);
    starting.directory = record.directory;
    starting.environment = record.environment;
    for (const std::string& variable : record.program_environment) {
      starting.environment.push_back(exec::Carried(variable));
    }
    outcomes.Add(record.name, RunIt(starting));
  }
  return outcomes.Conclude();
}

std::optional<int> StartOthers(const std::string& base, const WalkResult& walk,
                               const FlagSet& start_flags) {
  const std::vector<std::string>& words = walk.positionals;
  if (words.empty() || !walk.behind.empty()) return std::nullopt;
  if (words.size() == 1 && IsConfigFile(words[0])) {
    for (const std::string& flag : walk.given) {
      if (flag == "run_dir" || flag == "only" || flag == "env") continue;
      return Refuse(absl::InvalidArgumentError(
          absl::StrCat(words[0], " is a config file: flags stand in it, as keys of its apps")));
    }
    return StartConfig(base, words[0], start_flags, WhenRunning::kRefuse);
  }
  FlagSet others = walk.given;
  others.erase("run_dir");
  // What was recorded runs in the background anyway. An app of that name is meant where there is one.
  if (std::none_of(words.begin(), words.end(), IsApp)) others.erase("daemon");
  if (!others.empty()) return std::nullopt;
  const std::vector<std::string> stopped = ListStartable(base);
  std::vector<std::string> names = words;
  int refused = kExitDone;
  if (words.size() == 1 && words[0] == kAll) {
    names = stopped;
    refused = TellOfUnreadableRecords(base, ListClusters(base));
    if (names.empty()) {
      std::printf("start: no cluster is stopped\n");
      return refused;
    }
  }
  std::vector<ClusterRecord> records;
  for (const std::string& name : names) {
    if (CheckClusterName(name).ok() && CoordinatorLives(absl::StrCat(base, "/", name))) {
      return Refuse(absl::FailedPreconditionError(
          absl::StrCat("cluster ", name, " runs already; 'reload ", name, "' deploys, 'restart ",
                       name, "' ends its workers and starts them again")));
    }
    if (std::find(stopped.begin(), stopped.end(), name) == stopped.end()) {
      // A cluster's folder that is not ours: the truth, instead of "no such program".
      const absl::Status status =
          CheckClusterName(name).ok()
              ? TrustedFolder::OpenCluster(absl::StrCat(base, "/", name)).status()
              : absl::OkStatus();
      if (absl::IsPermissionDenied(status)) return Refuse(status);
      const absl::Status unread = status.ok() && !IsApp(name)
                                      ? ReadRecord(absl::StrCat(base, "/", name)).status()
                                      : absl::OkStatus();
      if (!unread.ok() && !absl::IsNotFound(unread)) return Refuse(unread);
      return std::nullopt;
    }
    absl::StatusOr<ClusterRecord> record = ReadRecord(absl::StrCat(base, "/", name));
    if (!record.ok()) return Refuse(record.status());
    records.push_back(*std::move(record));
  }
  return std::max(refused, StartAgain(base, records));
}

}  // namespace uc::tools
