#include "tools/verbs.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/policy/command.h"
#include "tools/cluster_directory.h"
#include "tools/cluster_view.h"
#include "tools/command_client.h"
#include "tools/lifecycle.h"
#include "tools/orphans.h"
#include "tools/print_error.h"
#include "tools/printable.h"
#include "tools/record.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;
constexpr int kExitInterrupted = 130;
constexpr absl::Duration kForkPatience = absl::Seconds(1);
constexpr int kLookMs = 5;

const std::map<std::string, std::string>& Verbs() {
  static const auto* verbs = new std::map<std::string, std::string>{{"scale", "scale"},
                                                                    {"reload", "reload"},
                                                                    {"restart", "restart"},
                                                                    {"stop", "stop"},
                                                                    {"upgrade", "upgrade"},
                                                                    {"ping", "ping"},
                                                                    {"list", "list"},
                                                                    {"ls", "list"},
                                                                    {"ps", "list"},
                                                                    {"status", "list"},
                                                                    {"l", "list"},
                                                                    {"desc", "describe"},
                                                                    {"describe", "describe"},
                                                                    {"show", "describe"},
                                                                    {"info", "describe"},
                                                                    {"reloadLogs", "reopen-logs"},
                                                                    {"reset", "reset"}};
  return *verbs;
}

int Fail(const absl::Status& status) {
  PrintError(status.message());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
      return kExitOperator;
    default:
      return kExitFailed;
  }
}

std::vector<ClusterView> ViewAllStopped(const VerbOptions& options) {
  std::vector<ClusterView> views;
  for (const std::string& name : ListStopped(options.base_directory)) {
    const absl::StatusOr<ClusterRecord> record =
        ReadRecord(absl::StrCat(options.base_directory, "/", name));
    if (record.ok()) views.push_back(ViewStopped(name, record->words));
  }
  return views;
}

// A scoreboard that cannot be read costs its own line, not the other clusters'. What is refused for its owner or its mode
// is the operator's to mend, here as for every verb.
int List(const std::vector<std::string>& names, const VerbOptions& options,
         const std::vector<ClusterView>& stopped) {
  std::vector<ClusterView> views = stopped;
  int exit_code = kExitDone;
  for (const std::string& name : names) {
    absl::StatusOr<ClusterView> view =
        ViewCluster(absl::StrCat(options.base_directory, "/", name), MonotonicNow());
    if (view.ok()) {
      views.push_back(*std::move(view));
    } else {
      PrintError(WithOrphans(absl::StrCat(options.base_directory, "/", name), name, view.status())
                     .message());
      if (absl::IsPermissionDenied(view.status())) exit_code = kExitOperator;
    }
  }
  if (options.json) {
    std::printf("%s\n", ToJson(views).c_str());
  } else if (names.empty() && stopped.empty()) {
    std::printf("no clusters in %s\n", Printable(options.base_directory).c_str());
  } else if (!views.empty()) {
    std::fputs(ToTable(views).c_str(), stdout);
  }
  return exit_code;
}

int Show(const ClusterView& view, const VerbOptions& options) {
  std::printf("%s%s", options.json ? ToJson(view).c_str() : ToText(view).c_str(),
              options.json ? "\n" : "");
  return kExitDone;
}

std::string Destination(const LogPlan& logs, Stream stream) {
  const std::string path = PathOf(logs, stream, 0);
  return path.empty() ? "where the cluster was started" : path;
}

int Describe(const std::string& name, const std::string& directory, const VerbOptions& options) {
  const absl::StatusOr<ClusterView> view = ViewCluster(directory, MonotonicNow());
  if (!view.ok()) return Fail(WithOrphans(directory, name, view.status()));
  Show(*view, options);
  const absl::StatusOr<ClusterRecord> record = ReadRecord(directory);
  if (!options.json && record.ok() && record->captured) {
    std::printf("\nstdout of worker 0 goes to %s\nstderr of worker 0 goes to %s\n",
                Printable(Destination(record->logs, Stream::kOut)).c_str(),
                Printable(Destination(record->logs, Stream::kErr)).c_str());
  }
  return kExitDone;
}

// The line for the control pipe; `count` is scale's argument.
absl::StatusOr<std::string> CommandText(const std::string& verb, const std::string& count,
                                        const VerbOptions& options) {
  if (verb == "scale") {
    const absl::StatusOr<policy::Scale> scale = policy::ParseScale(count);
    if (!scale.ok()) return scale.status();
    return policy::ToString(*scale);
  }
  if (verb == "restart" && options.worker >= 0) return absl::StrCat("restart ", options.worker);
  if (verb == "stop" && options.now) return "stop now";
  if (verb == "stop" && options.graceful) return "stop graceful";
  return verb;
}

// A command with the word that was typed for it in front: "stop now" for `delete --now` is "delete now".
std::string AsTyped(const std::string& command, const std::string& verb,
                    const VerbOptions& options) {
  return absl::StrCat(options.typed, command.substr(verb.size()));
}

int Conclude(const std::string& command, const Answer& answer, const VerbOptions& options) {
  if (options.json) {
    const nlohmann::ordered_json json = {
        {"command", command}, {"outcome", answer.outcome}, {"text", answer.text}};
    std::printf(
        "%s\n",
        json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (answer.outcome == "done") {
    std::printf("%s: %s\n", command.c_str(), Printable(answer.text).c_str());
  } else {
    PrintError(absl::StrCat(command, " ", answer.outcome, ": ", answer.text));
  }
  if (answer.outcome == "done") return kExitDone;
  return answer.outcome == "refused" ? kExitOperator : kExitFailed;
}

// One line for a person, or the JSON object that was asked for.
int GiveUp(const std::string& command, absl::string_view text, const VerbOptions& options) {
  if (options.json) return Conclude(command, {"failed", std::string(text)}, options);
  PrintError(text);
  return kExitFailed;
}

// With "; " or ", " behind it. A scoreboard that cannot be read is in the way of every new coordinator.
std::string HowToTakeOver(const std::string& name, const std::string& directory) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  const absl::Status unread = folder.ok() ? OpenRows(*folder).status() : folder.status();
  if (!unread.ok()) return absl::StrCat("nobody can take them over (", unread.message(), "); ");
  const absl::StatusOr<ClusterRecord> record = ReadRecord(directory);
  if (!record.ok() || !record->background) {
    return "'uring-cluster start' with the same flags takes them over, ";
  }
  return absl::StrCat("'uring-cluster start ", name, "' takes them over, ");
}

// The coordinator is gone. `stop` can still be done: it ends the workers that are left.
int WithoutCoordinator(const std::string& name, const std::string& directory,
                       const std::string& verb, const std::string& shown, absl::string_view why,
                       const VerbOptions& options) {
  if (verb == "stop") {
    int killed = 0;
    const absl::StatusOr<int> ended =
        EndOrphans(directory, options.now ? OrphanEnd::kAtOnce : OrphanEnd::kAsked, &killed);
    if (!ended.ok()) return GiveUp(shown, ended.status().message(), options);
    const std::string text = absl::StrCat(
        "the coordinator was gone; ended ", *ended, *ended == 1 ? " worker" : " workers",
        killed == 0 ? "" : absl::StrCat(", ", killed, " of them by SIGKILL"));
    return Conclude(shown, {"done", text}, options);
  }
  const int orphans = CountOrphans(directory);
  return GiveUp(
      shown,
      absl::StrCat("cluster ", name, ": ", why, "; ", orphans, " of its workers still serve; ",
                   orphans == 0 ? "" : HowToTakeOver(name, directory), "'uring-cluster stop ", name,
                   "' ", orphans == 0 ? "clears it away" : "ends them"),
      options);
}

// A process that a coordinator was just about to start has its lock until it runs another program (flock(2)).
bool HasGone(const std::string& directory) {
  const absl::Time until = MonotonicNow() + kForkPatience;
  while (CoordinatorLives(directory)) {
    if (MonotonicNow() >= until) return false;
    poll(nullptr, 0, kLookMs);
  }
  return true;
}

int Command(const std::string& name, const std::string& directory, const std::string& verb,
            const std::string& command, const VerbOptions& options) {
  const std::string shown = AsTyped(command, verb, options);
  const absl::StatusOr<Answer> answer =
      SendCommand(directory, command, [&](absl::string_view line) {
        if (!options.json) std::fprintf(stderr, "%s\n", Printable(line).c_str());
      });
  if (answer.ok()) return Conclude(shown, *answer, options);
  if (absl::IsPermissionDenied(answer.status())) {
    if (!options.json) return Fail(answer.status());
    return Conclude(shown, {"refused", std::string(answer.status().message())}, options);
  }
  if (absl::IsUnavailable(answer.status()) && HasGone(directory)) {
    return WithoutCoordinator(name, directory, verb, shown, answer.status().message(), options);
  }
  const int exit_code = GiveUp(shown, answer.status().message(), options);
  return absl::IsCancelled(answer.status()) ? kExitInterrupted : exit_code;
}

absl::Status CheckArguments(const std::string& verb, const std::vector<std::string>& positionals,
                            const VerbOptions& options) {
  const size_t most = verb == "scale" ? 2 : 1;
  if (positionals.size() > most) {
    return absl::InvalidArgumentError(
        verb == "scale"
            ? "scale takes a name and a number: 'scale NAME 4', 'scale NAME +3', 'scale NAME -1'"
            : absl::StrCat(verb, " takes one name"));
  }
  if (verb == "scale" && positionals.empty()) {
    return absl::InvalidArgumentError("scale needs a number: 'scale [NAME] 4', '+3' or '-1'");
  }
  if (options.graceful && options.now) {
    return absl::InvalidArgumentError("--graceful and --now exclude each other");
  }
  // -1: not given.
  if (options.worker < -1 || options.worker >= int64_t{policy::kWorkersMax}) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--worker=", options.worker, " is out of range: 0 to ", policy::kWorkersMax - 1));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsVerb(const std::string& verb) { return Verbs().count(verb) > 0; }

int RunVerb(const std::string& word, const std::vector<std::string>& positionals,
            const VerbOptions& given) {
  VerbOptions options = given;
  if (options.typed.empty()) options.typed = word;
  const std::string verb = Verbs().at(word);
  if (absl::Status status = CheckArguments(verb, positionals, options); !status.ok()) {
    return Fail(status);
  }
  if (verb == "list" && positionals.empty()) {
    if (absl::Status status = CheckReadable(options.base_directory); !status.ok()) {
      return Fail(status);
    }
    std::vector<std::string> names = ListClusters(options.base_directory);
    for (const std::string& name : ListRefused(options.base_directory)) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    const int exit_code = List(names, options, ViewAllStopped(options));
    return std::max(exit_code, TellOfUnreadableRecords(options.base_directory, names));
  }
  std::string wanted;  // the name
  std::string count;
  if (verb == "scale") {
    count = positionals.back();
    if (positionals.size() == 2) wanted = positionals.front();
  } else if (!positionals.empty()) {
    wanted = positionals.front();
  }
  const absl::StatusOr<std::string> command = CommandText(verb, count, options);
  if (!command.ok()) return Fail(command.status());
  if (verb == "list" || verb == "describe") {
    const std::vector<ClusterView> stopped = ViewAllStopped(options);
    const auto found = std::find_if(stopped.begin(), stopped.end(),
                                    [&](const ClusterView& view) { return view.name == wanted; });
    if (found != stopped.end())
      return verb == "list" ? List({}, options, {*found}) : Show(*found, options);
  }
  const absl::StatusOr<std::string> name = ResolveCluster(options.base_directory, wanted);
  if (!name.ok()) return Fail(name.status());
  const std::string directory = absl::StrCat(options.base_directory, "/", *name);
  if (verb == "list") return List({*name}, options, {});
  if (verb == "describe") return Describe(*name, directory, options);
  return Command(*name, directory, verb, *command, options);
}

}  // namespace uc::tools
