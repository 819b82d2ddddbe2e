#include "tools/inspect.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/coordinator/survivors.h"
#include "tools/cluster_directory.h"
#include "tools/cluster_view.h"
#include "tools/config/ecosystem.h"
#include "tools/orphans.h"
#include "tools/print_error.h"
#include "tools/printable.h"
#include "tools/record.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

void PrintJson(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

absl::StatusOr<ClusterView> View(const std::string& given, const std::string& base) {
  const absl::StatusOr<std::string> name = ResolveCluster(base, given);
  if (!name.ok()) return name.status();
  const std::string directory = absl::StrCat(base, "/", *name);
  absl::StatusOr<ClusterView> view = ViewCluster(directory, MonotonicNow());
  if (!view.ok()) return WithOrphans(directory, *name, view.status());
  return view;
}

int Id(const std::string& name, const VerbOptions& options) {
  const absl::StatusOr<ClusterView> view = View(name, options.base_directory);
  if (!view.ok()) return Refuse(view.status());
  Json slots = Json::array();
  for (const SlotView& slot : view->slots) slots.push_back(slot.slot);
  PrintJson(slots);
  return kExitDone;
}

int Pid(const std::vector<std::string>& names, const VerbOptions& options) {
  std::vector<std::string> chosen = names;
  if (chosen.empty()) chosen = ListClusters(options.base_directory);
  Json pids = Json::array();
  for (const std::string& name : chosen) {
    const absl::StatusOr<ClusterView> view = View(name, options.base_directory);
    if (!view.ok()) return Refuse(view.status());
    for (const WorkerView& worker : view->workers) pids.push_back(ProcessOf(worker));
  }
  if (options.json) {
    PrintJson(pids);
  } else {
    for (const Json& pid : pids) std::printf("%d\n", pid.get<int>());
  }
  return kExitDone;
}

int Env(const std::string& given, const VerbOptions& options) {
  const std::string& base = options.base_directory;
  const std::vector<std::string> records = ListRecords(base);
  std::string name = given;
  if (std::find(records.begin(), records.end(), name) == records.end()) {
    const absl::StatusOr<std::string> resolved = ResolveCluster(base, given);
    if (!resolved.ok()) return Refuse(resolved.status());
    name = *resolved;
  }
  const absl::StatusOr<ClusterRecord> record = ReadRecord(absl::StrCat(base, "/", name));
  if (!record.ok()) return Refuse(record.status());
  Json variables = Json::object();
  for (const auto* environment : {&record->environment, &record->program_environment}) {
    for (const std::string& one : *environment) {
      const size_t equals = one.find('=');
      if (equals != std::string::npos) variables[one.substr(0, equals)] = one.substr(equals + 1);
    }
  }
  if (options.json) {
    PrintJson(variables);
    return kExitDone;
  }
  for (const auto& [variable, value] : variables.items()) {
    std::printf("%s\n", Printable(absl::StrCat(variable, "=", value.get<std::string>())).c_str());
  }
  return kExitDone;
}

int SendSignal(const std::string& text, const std::string& name, const VerbOptions& options) {
  const int signal = SignalNumber(text);
  if (signal == 0) {
    return Refuse(absl::InvalidArgumentError(
        absl::StrCat("sendSignal: '", text.substr(0, 60), "' is no signal: SIGUSR2, usr2 or 12")));
  }
  const absl::StatusOr<ClusterView> view = View(name, options.base_directory);
  if (!view.ok()) return Refuse(view.status());
  int reached = 0;
  for (const WorkerView& worker : view->workers) {
    const int pid = ProcessOf(worker);
    const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    // What a worker may write is not enough to be signalled: a native one keeps its door.
    if (process.valid() && !view->program && !coordinator::HoldsDoor(pid, worker.generation)) {
      PrintError(absl::StrCat("sendSignal: worker ", worker.slot, " (pid ", pid,
                              "): is not the process that keeps this worker's door"));
      continue;
    }
    if (process.valid() && syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0) {
      ++reached;
    } else {
      PrintError(
          absl::StrCat("sendSignal: worker ", worker.slot, " (pid ", pid, "): ", strerror(errno)));
    }
  }
  const std::string sent = absl::StrCat("SIG", sigabbrev_np(signal));
  if (options.json) {
    PrintJson({{"signal", sent}, {"workers", reached}});
  } else {
    std::printf("sendSignal: %s to %d of %zu workers of %s\n", sent.c_str(), reached,
                view->workers.size(), Printable(view->name).c_str());
  }
  return reached == static_cast<int>(view->workers.size()) ? kExitDone : kExitFailed;
}

}  // namespace

int SignalNumber(const std::string& text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    return number > 0 && sigabbrev_np(number) != nullptr ? number : 0;
  }
  std::string name = absl::AsciiStrToUpper(text);
  name = std::string(absl::StripPrefix(name, "SIG"));
  for (number = 1; number < NSIG; ++number) {
    const char* const known = sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  return 0;
}

bool IsInspectVerb(const std::string& verb) {
  static const auto* verbs =
      new std::set<std::string>{"id", "pid", "env", "sendSignal", "init", "ecosystem"};
  return verbs->count(verb) > 0;
}

int RunInspectVerb(const std::string& verb, const std::vector<std::string>& arguments,
                   const VerbOptions& options) {
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (verb == "init" || verb == "ecosystem") {
    std::fputs(std::string(SampleEcosystem()).c_str(), stdout);
    return kExitDone;
  }
  if (verb == "pid") return Pid(arguments, options);
  const size_t most = verb == "sendSignal" ? 2 : 1;
  if (arguments.size() > most || (verb == "sendSignal" && arguments.empty())) {
    return Refuse(absl::InvalidArgumentError(
        verb == "sendSignal" ? "sendSignal takes a signal and a name: 'sendSignal SIGUSR2 web'"
                             : absl::StrCat(verb, " takes one name")));
  }
  if (verb == "id") return Id(first, options);
  if (verb == "env") return Env(first, options);
  return SendSignal(first, arguments.size() > 1 ? arguments[1] : "", options);
}

}  // namespace uc::tools
