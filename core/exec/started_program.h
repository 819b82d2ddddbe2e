// StartedProgram: the program of a worker from its start on: its process, and Node's channel to it. The same whether the
// program accepts from its slot's listener itself (launcher.h) or stands behind a front (core/front).
#ifndef CORE_EXEC_STARTED_PROGRAM_H_
#define CORE_EXEC_STARTED_PROGRAM_H_

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/exec/child.h"
#include "core/exec/environment.h"
#include "core/exec/launch_options.h"
#include "core/exec/node_channel.h"
#include "core/exec/program.h"
#include "core/scoreboard/layout.h"

namespace uc::exec {

class StartedProgram {
 public:
  // `place`: without what the options say. `listeners`: that it inherits (ChildOptions). Enters it in `report`, for whoever
  // has to end it when its worker has gone. Errors as Child::Start().
  static absl::StatusOr<StartedProgram> Start(const LaunchOptions& options, const Program& program,
                                              ProgramPlace place, std::vector<int> listeners,
                                              scoreboard::Report& report);
  StartedProgram(StartedProgram&&) = default;

  const Child& child() const { return child_; }
  // -1: it has no channel, or has closed it.
  int node_fd() const { return node_.has_value() ? node_->fd() : -1; }
  // When node_fd() is readable: it has said 'ready'.
  bool HeardReady();
  // By Node's message 'shutdown' where that is asked for, else by a signal. The signal; 0: the message. kAll: the process
  // that we started only runs the program (npm, sh), so its whole group hears the signal, as on a terminal.
  enum class Whom { kFirst, kAll };
  int AskToLeave(const LaunchOptions& options, Whom whom = Whom::kFirst);

 private:
  StartedProgram(Child child, std::optional<NodeChannel> node)
      : child_(std::move(child)), node_(std::move(node)) {}
  Child child_;
  std::optional<NodeChannel> node_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_STARTED_PROGRAM_H_
