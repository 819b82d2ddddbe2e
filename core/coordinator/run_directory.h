// RunDirectory: the coordinator's files in BASE/NAME: lock, pid, control, scoreboard, replies/, doors/. What somebody
// cleans away while the coordinator lives is made again.
//
// The lock (flock, held for life, dropped by the kernel at any kind of death) says whether a coordinator
// is there; nothing else does. Of a dead one's leftovers the scoreboard and the doors of living workers count
// (former_workers.h), all else is made anew.
#ifndef CORE_COORDINATOR_RUN_DIRECTORY_H_
#define CORE_COORDINATOR_RUN_DIRECTORY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/fd.h"

namespace uc::coordinator {

class RunDirectory {
 public:
  // Nothing but the lock. AlreadyExists: another coordinator lives there (names its pid). PermissionDenied and the like
  // for what the file system says.
  static absl::StatusOr<RunDirectory> Take(const std::string& path);
  // All else, in the place of what a dead coordinator has left of it.
  absl::Status Furnish();
  // What the program before us held.
  static RunDirectory Continue(const std::string& path, Fd lock, Fd control);
  RunDirectory(RunDirectory&&) = default;

  // The control FIFO, open for reading and writing (so it never reports EOF), non-blocking.
  const Fd& control() const { return control_; }
  const Fd& lock() const { return lock_; }
  const std::string& path() const { return path_; }
  std::string scoreboard_path() const { return path_ + "/scoreboard"; }
  std::string reply_path(const std::string& ticket) const { return path_ + "/replies/" + ticket; }

  enum class Look {
    kWhole,
    kMadeAgain,  // something was missing; the lock may be another file now
    kLost,  // it cannot be made again, or it belongs to another coordinator by now: see trouble()
  };
  // Is everything still there? A few system calls.
  Look Tend();
  // Askers that were killed leave the FIFO of their answer: those without a reader that are older than a minute go.
  // `now`: the date. Looks at some hundred at most; when there are more (kSome) it is to be called again soon.
  enum class Left { kNone, kSome };
  Left RemoveStaleReplies(absl::Time now) const;
  // Why the last look found it lost.
  const absl::Status& trouble() const { return trouble_; }
  // The file at BASE/NAME/`name` is this one.
  bool Has(const std::string& name, const Fd& file) const;

  // Nothing comes of this start: takes away what Take and Furnish have made, and nothing else.
  void Withdraw();
  // Removes the files and the directory: the cluster has ended. The lock goes last.
  void Remove();

 private:
  explicit RunDirectory(std::string path) : path_(std::move(path)) {}
  absl::Status Lock();
  absl::Status MakeFolders();
  absl::Status MakeControl();
  absl::Status MakeAgain();

  std::string path_;
  Fd lock_;
  Fd control_;
  bool lock_made_ = false;
  std::vector<std::string> made_;  // folders
  absl::Status trouble_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_RUN_DIRECTORY_H_
