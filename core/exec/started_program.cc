#include "core/exec/started_program.h"

#include <string.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/link/worker_mark.h"
#include "core/scoreboard/process_start.h"

namespace uc::exec {

absl::StatusOr<StartedProgram> StartedProgram::Start(const LaunchOptions& options,
                                                     const Program& program, ProgramPlace place,
                                                     std::vector<int> listeners,
                                                     scoreboard::Report& report) {
  place.cluster = options.name;
  if (!options.cluster_directory.empty()) {
    place.worker = link::ToText(
        {getpid(), scoreboard::ProcessStart(getpid()), getsid(0), options.cluster_directory});
  }
  place.inherited = InheritedEnvironment(options);
  place.environment = options.environment;
  ChildOptions child;
  child.program = program;
  for (std::string& word : child.program.argv) word = absl::StrReplaceAll(word, place.words);
  child.directory = options.program.directory;
  child.environment = EnvironmentOf(place);
  if (!options.identity_taken) child.identity = options.identity;
  child.descriptors = options.descriptors;
  child.listeners = std::move(listeners);
  std::optional<NodeChannel> node;
  Fd node_end;  // until the program has it
  if (program.node) {
    absl::StatusOr<std::pair<NodeChannel, Fd>> channel = NodeChannel::Make();
    if (!channel.ok()) return channel.status();
    node.emplace(std::move(channel->first));
    node_end = std::move(channel->second);
    child.node_channel = node_end.get();
  }
  absl::StatusOr<Child> started = Child::Start(child);
  if (!started.ok()) return started.status();
  report.program_session.store(getsid(0), std::memory_order_relaxed);
  report.program_start.store(scoreboard::ProcessStart(started->pid()), std::memory_order_relaxed);
  report.program_pid.store(started->pid(), std::memory_order_release);
  return StartedProgram(*std::move(started), std::move(node));
}

bool StartedProgram::HeardReady() {
  bool open = true;
  bool ready = false;
  for (const std::string& message : node_->Receive(&open)) ready |= message == "\"ready\"";
  if (!open) node_.reset();
  return ready;
}

int StartedProgram::AskToLeave(const LaunchOptions& options, Whom whom) {
  if (options.shutdown_with_message && node_.has_value() && node_->Send("\"shutdown\"")) {
    LogInfo("the program is asked to leave: message 'shutdown'");
    return 0;
  }
  const char* const name = sigabbrev_np(options.kill_signal);
  LogInfo(absl::StrCat("the program is asked to leave: SIG", name != nullptr ? name : "?",
                       whom == Whom::kAll ? " to its process group" : ""));
  if (whom == Whom::kAll) {
    child_.SignalGroup(options.kill_signal);
  } else {
    child_.Signal(options.kill_signal);
  }
  return options.kill_signal;
}

}  // namespace uc::exec
