#include "tools/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/clock.h"
#include "tools/base_owner.h"
#include "tools/cluster_directory.h"
#include "tools/cluster_view.h"
#include "tools/config/json_text.h"
#include "tools/logs/log_plan.h"
#include "tools/print_error.h"
#include "tools/printable.h"
#include "tools/record.h"
#include "tools/start_others.h"
#include "tools/text_file.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;
constexpr int kExitInterrupted = 130;
constexpr size_t kDumpBytesMax = 64 << 20;
constexpr char kDump[] = "dump.json";
constexpr char kAll[] = "all";

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

std::string DirectoryOf(const std::string& base, const std::string& name) {
  return absl::StrCat(base, "/", name);
}

// Running and stopped ones.
std::vector<std::string> ListKnown(const std::string& base) {
  std::vector<std::string> known = ListClusters(base);
  for (const std::string& name : ListStopped(base)) known.push_back(name);
  std::sort(known.begin(), known.end());
  return known;
}

// A first start that failed leaves its log alone in the directory: something to read, and to delete.
std::vector<std::string> ListLogsOnly(const std::string& base) {
  std::vector<std::string> logs = ListWith(base, "log");
  std::erase_if(logs, [&](const std::string& name) {
    const std::string directory = DirectoryOf(base, name);
    const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
    if (!folder.ok() || CoordinatorLives(*folder)) return true;
    for (const char* file : {"scoreboard", "record", "doors"}) {
      if (faccessat(folder->fd(), file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
    }
    return false;
  });
  return logs;
}

// The clusters that are meant. A name that was given is meant, whether there is such a cluster or not.
absl::StatusOr<std::vector<std::string>> ResolveNames(const std::vector<std::string>& names,
                                                      const std::string& base) {
  if (absl::Status status = CheckReadable(base); !status.ok()) return status;
  const std::vector<std::string> known = ListKnown(base);
  if (names.size() == 1 && names[0] == kAll) return known;
  if (!names.empty()) return names;
  // Stopped ones are in nobody's way.
  const std::vector<std::string> running = ListClusters(base);
  if (running.size() == 1) return running;
  if (running.empty() && known.size() == 1) return known;
  if (known.empty()) return absl::NotFoundError(absl::StrCat("no cluster in ", base));
  return absl::InvalidArgumentError(
      absl::StrCat("which cluster? there is ", absl::StrJoin(known, ", "), " (or 'all')"));
}

// Why the record of a cluster that does not run is not believed; OK: there is none, or it is.
absl::Status UnreadableRecord(const std::string& base, const std::string& name) {
  if (!CheckClusterName(name).ok()) return absl::OkStatus();
  const std::string directory = DirectoryOf(base, name);
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok() || CoordinatorLives(*folder)) return absl::OkStatus();
  const absl::Status status = ReadRecord(directory).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status CheckKnown(const std::string& verb, const std::string& name, const std::string& base) {
  std::vector<std::string> known = ListKnown(base);
  if (verb == "delete") {
    for (std::string& one : ListLogsOnly(base)) known.push_back(std::move(one));
    std::sort(known.begin(), known.end());
  }
  if (std::find(known.begin(), known.end(), name) != known.end()) return absl::OkStatus();
  const absl::Status unreadable = UnreadableRecord(base, name);
  if (!unreadable.ok()) return verb == "delete" ? absl::OkStatus() : unreadable;
  return NoCluster(base, name, known);
}

// A path may hold bytes that are no UTF-8: they must not make the answer fail.
void PrintJson(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

void Say(const std::string& name, absl::string_view text, const VerbOptions& options) {
  if (options.json) {
    PrintJson({{"command", options.typed}, {"name", name}, {"outcome", "done"}, {"text", text}});
  } else {
    std::printf("%s: %s: %s\n", options.typed.c_str(), name.c_str(), std::string(text).c_str());
  }
}

// Of workers that wrote where they write by default. Empty ones go; the others are what was said, and stay: "; the logs
// ... stay", or "".
std::string TidyLogs(const std::string& base, const std::string& name) {
  const std::string folder = StateDirectory(base) + "/logs";
  const absl::StatusOr<TrustedFolder> logs = TrustedFolder::Open(folder);
  const absl::StatusOr<LogPlan> plan = MakeLogPlan(LogRequest{}, name, Ground::kBackground, folder);
  if (!logs.ok() || !plan.ok()) return "";
  std::vector<std::string> left;
  for (const LogFile& file : FindLogFiles(*plan)) {
    const std::string own = SplitPath(file.path).second;
    struct stat status;
    if (fstatat(logs->fd(), own.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode) && status.st_size == 0) {
      logs->RemoveFile(own);
    } else {
      left.push_back(file.path);
    }
  }
  if (left.empty()) return "";
  return absl::StrCat("; what its workers said stays: ", left.front(),
                      left.size() == 1 ? "" : absl::StrCat(" and ", left.size() - 1, " more"));
}

// Without its record and its log the directory goes, too. FailedPrecondition: it does not, and why.
absl::Status Forget(const std::string& base, const std::string& name) {
  const std::string directory = DirectoryOf(base, name);
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (absl::IsNotFound(folder.status())) return absl::OkStatus();
  if (!folder.ok()) return folder.status();
  for (const std::string& file : folder->Names()) {
    if (file == "record" || file == "log" || absl::StartsWith(file, "log.")) {
      folder->RemoveFile(file);
    }
  }
  if (rmdir(directory.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  std::vector<std::string> left = folder->Names();
  std::sort(left.begin(), left.end());
  constexpr size_t kShown = 5;
  if (left.size() > kShown) left.resize(kShown);
  return absl::FailedPreconditionError(
      absl::StrCat(directory, ": cannot be removed: ",
                   left.empty() ? std::string(strerror(errno))
                                : absl::StrCat("it holds ", absl::StrJoin(left, ", "),
                                               ", which 'delete' does not remove"),
                   "; look at it and remove it by hand"));
}

// One of several whose answers are the elements of one JSON array.
int RefuseOne(const absl::Status& status, const std::string& name, bool several,
              const VerbOptions& options) {
  if (several) {
    PrintJson({{"command", options.typed},
               {"name", name},
               {"outcome", "refused"},
               {"text", std::string(status.message())}});
  }
  return Refuse(status);
}

int FailOne(const absl::Status& status, const std::string& name, const VerbOptions& options) {
  if (options.json) {
    PrintJson({{"command", options.typed},
               {"name", name},
               {"outcome", "failed"},
               {"text", std::string(status.message())}});
  }
  PrintError(status.message());
  return kExitFailed;
}

// What has stopped is forgotten; `told`: its JSON has been printed.
int ForgetOne(const std::string& name, bool told, const VerbOptions& options) {
  VerbOptions saying = options;
  saying.json = options.json && !told;
  const absl::Status forgotten = Forget(options.base_directory, name);
  if (!forgotten.ok()) return FailOne(forgotten, name, saying);
  const std::string text = absl::StrCat("forgotten", TidyLogs(options.base_directory, name));
  if (saying.json == options.json) Say(name, text, saying);
  return kExitDone;
}

int RunOnOne(const std::string& verb, const std::string& name, const VerbOptions& options) {
  const std::vector<std::string> stopped = ListStopped(options.base_directory);
  bool is_stopped = std::find(stopped.begin(), stopped.end(), name) != stopped.end();
  if (!is_stopped && verb == "delete") {
    const std::vector<std::string> logs = ListLogsOnly(options.base_directory);
    const std::vector<std::string> running = ListClusters(options.base_directory);
    is_stopped = std::find(logs.begin(), logs.end(), name) != logs.end() ||
                 (std::find(running.begin(), running.end(), name) == running.end() &&
                  !UnreadableRecord(options.base_directory, name).ok());
  }
  if (!is_stopped) {
    const int exit_code = RunVerb(verb == "delete" ? "stop" : verb, {name}, options);
    if (verb != "delete" || exit_code != kExitDone) return exit_code;
    return ForgetOne(name, true, options);
  }
  if (verb == "stop") {
    Say(name, "is stopped already", options);
    return kExitDone;
  }
  if (verb == "delete") {
    return ForgetOne(name, false, options);
  }
  if (options.acting == Acting::kAsOwner) {
    return Refuse(RootStartsNothing(DirectoryOf(options.base_directory, name), geteuid()));
  }
  const auto record = ReadRecord(DirectoryOf(options.base_directory, name));
  if (!record.ok()) return Refuse(record.status());
  return StartAgain(options.base_directory, {*record});
}

int RunOnMany(const std::string& verb, const std::vector<std::string>& names,
              const VerbOptions& options) {
  // `kill` is PM2's word for the end of everything.
  const std::string what = verb == "kill" ? "stop" : verb;
  const absl::StatusOr<std::vector<std::string>> resolved =
      ResolveNames(verb == "kill" && names.empty() ? std::vector<std::string>{kAll} : names,
                   options.base_directory);
  if (!resolved.ok()) return Refuse(resolved.status());
  std::vector<std::string> chosen = *resolved;
  // "all" does not wake what is asleep.
  if (names.size() == 1 && names[0] == kAll && what != "delete") {
    chosen = ListClusters(options.base_directory);
  }
  if (chosen.empty()) {
    std::printf(options.json ? "[]\n" : "%s: nothing to do\n", options.typed.c_str());
    return kExitDone;
  }
  int worst = kExitDone;
  std::vector<std::string> failed;
  const bool several = options.json && chosen.size() > 1;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const std::string& name = chosen[i];
    if (several) std::fputs(i == 0 ? "[" : ",", stdout);
    const absl::Status known = CheckKnown(what, name, options.base_directory);
    const int exit_code =
        known.ok() ? RunOnOne(what, name, options) : RefuseOne(known, name, several, options);
    worst = std::max(worst, exit_code);
    if (exit_code != kExitDone) failed.push_back(name);
    if (exit_code == kExitInterrupted) break;
  }
  if (several) std::fputs("]\n", stdout);
  if (chosen.size() > 1 && !failed.empty()) {
    PrintError(absl::StrCat(options.typed, ": ", failed.size(), " of ", chosen.size(),
                            " failed: ", absl::StrJoin(failed, ", ")));
  }
  return worst;
}

// --- What outlives a boot ---

std::string DumpPath(const std::string& base) {
  return absl::StrCat(StateDirectory(base), "/", kDump);
}

// The cure is another one than for a run directory.
absl::Status NotRunDirectory(const absl::Status& status) {
  return absl::Status(
      status.code(),
      absl::StrReplaceAll(status.message(), {{"--run-dir", "URING_CLUSTER_STATE_DIR"}}));
}

absl::StatusOr<std::string> ReadDump(const std::string& base) {
  const absl::StatusOr<TrustedFolder> state = TrustedFolder::Open(StateDirectory(base));
  if (!state.ok()) return NotRunDirectory(state.status());
  return ReadTextFile(*state, kDump, kDumpBytesMax);
}

int Save(const VerbOptions& options) {
  const std::string& base = options.base_directory;
  Json dump = Json::array();
  std::vector<std::string> names;
  int exit_code = kExitDone;
  for (const std::string& name : ListClusters(base)) {
    absl::StatusOr<ClusterRecord> record = ReadRecord(DirectoryOf(base, name));
    const absl::StatusOr<ClusterView> view = ViewCluster(DirectoryOf(base, name), MonotonicNow());
    for (const absl::Status& status : {record.status(), view.status()}) {
      if (!absl::IsPermissionDenied(status)) continue;
      PrintError(absl::StrCat("save: ", status.message()));
      exit_code = kExitOperator;
      break;
    }
    if (!record.ok() || !view.ok() || !record->background) continue;
    record->words = WithWorkers(record->words, view->workers_wanted);
    absl::StatusOr<Json> json = ParseJson(ToJson(*record), JsonComments::kRefused);
    if (!json.ok()) continue;
    dump.push_back(*std::move(json));
    names.push_back(name);
  }
  if (names.empty()) {
    return Refuse(absl::FailedPreconditionError(
        "save: no cluster runs in the background; 'cleardump' forgets what was saved"));
  }
  const std::string path = DumpPath(base);
  if (absl::Status status = MakeStateDirectory(base); !status.ok()) return Refuse(status);
  const absl::StatusOr<TrustedFolder> state = TrustedFolder::Open(StateDirectory(base));
  if (!state.ok()) return Refuse(NotRunDirectory(state.status()));
  if (absl::Status status = ReplaceTextFile(*state, kDump, dump.dump(1) + "\n"); !status.ok()) {
    PrintError(status.message());
    return kExitFailed;
  }
  if (options.json) {
    PrintJson({{"saved", names}, {"path", path}});
  } else {
    std::printf("save: %s in %s\n", absl::StrJoin(names, ", ").c_str(), Printable(path).c_str());
  }
  return exit_code;
}

int Resurrect(const VerbOptions& options) {
  const std::string path = DumpPath(options.base_directory);
  const absl::StatusOr<std::string> text = ReadDump(options.base_directory);
  if (absl::IsNotFound(text.status())) {
    return Refuse(absl::NotFoundError(absl::StrCat("resurrect: nothing was saved (", path, ")")));
  }
  if (!text.ok()) return Refuse(text.status());
  const absl::StatusOr<Json> dump = ParseJson(*text, JsonComments::kRefused);
  if (!dump.ok() || !dump->is_array()) {
    return Refuse(absl::InvalidArgumentError(path + ": is no dump; 'save' writes a new one"));
  }
  std::vector<ClusterRecord> records;
  for (const Json& one : *dump) {
    absl::StatusOr<ClusterRecord> record = ParseRecord(one.dump());
    if (!record.ok())
      return Refuse(
          absl::InvalidArgumentError(absl::StrCat(path, ": an entry ", record.status().message())));
    if (CoordinatorLives(DirectoryOf(options.base_directory, record->name))) {
      Say(record->name, "runs already", options);
    } else {
      records.push_back(*std::move(record));
    }
  }
  return StartAgain(options.base_directory, records);
}

int ClearDump(const VerbOptions& options) {
  const absl::StatusOr<TrustedFolder> state =
      TrustedFolder::Open(StateDirectory(options.base_directory));
  if (!state.ok() && !absl::IsNotFound(state.status())) {
    return Refuse(NotRunDirectory(state.status()));
  }
  if (state.ok()) state->RemoveFile(kDump);
  std::printf(options.json ? "{\"cleared\":true}\n" : "cleardump: nothing is saved any more\n");
  return kExitDone;
}

}  // namespace

std::vector<std::string> ListStartable(const std::string& base) {
  std::vector<std::string> startable;
  for (const std::string& name : ListRecords(base)) {
    const std::string directory = DirectoryOf(base, name);
    const absl::StatusOr<ClusterRecord> record = ReadRecord(directory);
    if (record.ok() && record->background && !CoordinatorLives(directory)) {
      startable.push_back(name);
    }
  }
  return startable;
}

int TellOfUnreadableRecords(const std::string& base, const std::vector<std::string>& shown) {
  int exit_code = kExitDone;
  for (const std::string& name : ListRecords(base)) {
    if (std::find(shown.begin(), shown.end(), name) != shown.end()) continue;
    const absl::Status status = UnreadableRecord(base, name);
    if (status.ok()) continue;
    PrintError(status.message());
    exit_code = kExitOperator;
  }
  return exit_code;
}

std::vector<std::string> ListStopped(const std::string& base) {
  const std::vector<std::string> running = ListClusters(base);
  std::vector<std::string> stopped = ListStartable(base);
  std::erase_if(stopped, [&](const std::string& name) {
    return std::find(running.begin(), running.end(), name) != running.end();
  });
  return stopped;
}

std::vector<std::string> OwnWords(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  size_t i = 0;
  for (; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (word == "--run-dir" || word == "--run_dir") {
      ++i;  // and its value
    } else if (!absl::StartsWith(word, "--run-dir=") && !absl::StartsWith(word, "--run_dir=") &&
               word != "--daemon" && word != "--daemon=true") {
      result.push_back(word);
    }
  }
  if (i < words.size()) {
    result.insert(result.end(), words.begin() + static_cast<ptrdiff_t>(i), words.end());
  }
  return result;
}

std::vector<std::string> WithWorkers(const std::vector<std::string>& words, uint32_t workers) {
  std::vector<std::string> result;
  size_t i = 0;
  for (; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (word == "-i" || word == "--i" || word == "--workers") {
      ++i;  // and its value
    } else if (!absl::StartsWith(word, "--workers=") && !absl::StartsWith(word, "--i=") &&
               !(absl::StartsWith(word, "-i") && word.size() > 2)) {
      result.push_back(word);
    }
  }
  result.push_back(absl::StrCat("--workers=", workers));
  if (i < words.size())
    result.insert(result.end(), words.begin() + static_cast<ptrdiff_t>(i), words.end());
  return result;
}

bool IsLifecycleVerb(const std::string& verb) {
  static const auto* verbs =
      new std::set<std::string>{"stop", "restart", "reload", "delete",    "del",
                                "kill", "save",    "dump",   "resurrect", "cleardump"};
  return verbs->count(verb) > 0;
}

int RunLifecycleVerb(const std::string& verb, const std::vector<std::string>& names,
                     const VerbOptions& given) {
  VerbOptions options = given;
  options.typed = verb;
  if (verb == "save" || verb == "dump") return Save(options);
  if (verb == "resurrect") return Resurrect(options);
  if (verb == "cleardump") return ClearDump(options);
  return RunOnMany(verb == "del" ? "delete" : verb, names, options);
}

}  // namespace uc::tools
