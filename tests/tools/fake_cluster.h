// FakeCluster: a run directory BASE/web with all that the CLI looks at, and the processes that it talks to:
// a coordinator that answers as it is told, and workers that wait for signals.
#ifndef TESTS_TOOLS_FAKE_CLUSTER_H_
#define TESTS_TOOLS_FAKE_CLUSTER_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/scoreboard/scoreboard.h"

namespace uc::tools {

class FakeCluster {
 public:
  FakeCluster();
  ~FakeCluster();
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  enum class Door { kKept, kNone };
  enum class Term { kDefault, kIgnored };
  struct WorkerOptions {
    Door door = Door::kKept;
    Term term = Term::kDefault;
  };

  // A process with the lock, the pid file and the control pipe; it answers each command with `reply`, in
  // which "COMMAND" stands for what came, and closes the answer. An empty reply closes it after one space.
  void Coordinate(const std::string& reply);
  // A process named like the worker of `slot`, and its row.
  pid_t Worker(uint32_t slot, WorkerOptions options);
  pid_t Worker(uint32_t slot) { return Worker(slot, WorkerOptions()); }

  // The signal that has ended `child`; 0 while it lives.
  int EndedBy(pid_t child);
  // A directory BASE/`name` whose scoreboard is no scoreboard.
  void MakeUnreadable(const std::string& name);

  const std::string& base() const { return base_; }
  const std::string& directory() const { return directory_; }

 private:
  pid_t Fork(int* ready);  // 0 in the child, which says that it is ready by one byte to `ready`

  std::string base_;
  std::string directory_;
  std::optional<scoreboard::Scoreboard> board_;
  std::vector<pid_t> children_;
};

}  // namespace uc::tools

#endif  // TESTS_TOOLS_FAKE_CLUSTER_H_
