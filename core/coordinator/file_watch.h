// FileWatch: has anything changed below a path? For development: inotify(7), and a rest after the last change, since
// an editor or a linker writes more than once.
//
// Hidden names and node_modules are never watched. Refused: polling, and watching what the program has open (that is
// the program's own affair).
#ifndef CORE_COORDINATOR_FILE_WATCH_H_
#define CORE_COORDINATOR_FILE_WATCH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/fd.h"

namespace uc::coordinator {

struct WatchOptions {
  std::string path;  // a file, or a directory with all below it; empty: nothing is watched
  // Patterns as in fnmatch(3), of a name or of a path relative to the directory; or the beginning of such a path.
  std::vector<std::string> ignored;
  absl::Duration delay = absl::Milliseconds(200);
};

class FileWatch {
 public:
  // InvalidArgument: the path is not there. FailedPrecondition: too many directories or watches.
  static absl::StatusOr<FileWatch> Begin(const WatchOptions& options);

  int fd() const { return inotify_.get(); }
  void OnReadable(absl::Time now);
  // When the changes so far have come to rest; InfiniteFuture: there are none.
  absl::Time due() const { return due_; }
  // What changed last. From now on nothing is due.
  std::string Take();

 private:
  FileWatch(Fd inotify, const WatchOptions& options)
      : inotify_(std::move(inotify)), options_(options) {}

  // `below`: relative to the path, "" or "src/".
  absl::Status AddDirectory(const std::string& below);
  bool Ignores(absl::string_view below, absl::string_view name) const;
  void Changed(absl::Time now, std::string what);

  Fd inotify_;
  WatchOptions options_;
  std::string directory_;               // with its '/'
  std::string only_;                    // the one file; empty: all below the directory
  std::map<int, std::string> watched_;  // by watch descriptor: relative path, "" or "src/"
  std::string last_change_;
  absl::Time first_change_ = absl::InfiniteFuture();
  absl::Time due_ = absl::InfiniteFuture();
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_FILE_WATCH_H_
