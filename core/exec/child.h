// Child: the program's process, leader of a process group of its own: started with its environment and channels,
// watched by a pidfd, and gone when we are.
#ifndef CORE_EXEC_CHILD_H_
#define CORE_EXEC_CHILD_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/base/identity.h"
#include "core/exec/program.h"

namespace uc::exec {

struct ChildOptions {
  Program program;
  std::string directory;                 // empty: where we are
  std::vector<std::string> environment;  // "KEY=VALUE", all of it
  std::optional<Identity> identity;      // nullopt: as we are
  // What it inherits besides the standard streams. Listening sockets, told as sd_listen_fds(3) wants it.
  std::vector<int> listeners;
  int node_channel = -1;     // told in NODE_CHANNEL_FD
  uint64_t descriptors = 0;  // its soft limit of open files; 0: ours
};

// For a process that becomes another user before it starts its program, while it still may: what that user can then do
// with the stdout and stderr that it inherits, as Child::Start() sees to it for an identity of its own.
void OpenOutputToOthers();

class Child {
 public:
  // FailedPrecondition: it cannot be executed, no such user, no such directory. Unavailable: no process.
  static absl::StatusOr<Child> Start(const ChildOptions& options);
  Child(Child&&) = default;

  pid_t pid() const { return pid_; }
  // Readable when it has ended.
  int fd() const { return pidfd_.get(); }
  void Signal(int signal) const;
  // To its process group as well: all that it started, unless they have left that.
  void SignalGroup(int signal) const;
  // SIGKILL to it and to all that it started, unless they have left its process group.
  void KillGroup() const;
  // Its wait status; nullopt: it runs.
  std::optional<int> Reap() const;

 private:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  Fd pidfd_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_CHILD_H_
