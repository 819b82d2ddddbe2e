// DocumentRoot: a directory whose files are served; opens names below it and nothing outside of it.
//
// Invariant: what Open() gives lies below the root, whatever symbolic links the tree holds and however it
// changes meanwhile: the kernel resolves the name in one step (openat2 with RESOLVE_BENEATH, Linux 5.6).
// A relative link that stays inside works; one that leads out, and any absolute one, names nothing.
// What a name is, is looked at before it is opened: O_PATH runs no code of a device, lets no writer of a FIFO through.
// A regular file is then opened by its descriptor in /proc/self/fd, which is the same file whatever its name means by
// now. Where /proc is not mounted it is opened at once, without blocking, and looked at afterwards.
// Refused: realpath() and a comparison of prefixes: the tree may change between check and use.
#ifndef CORE_APP_DOCUMENT_ROOT_H_
#define CORE_APP_DOCUMENT_ROOT_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/fd.h"

namespace uc::app {

struct Document {
  enum class Found {
    kFile,       // a regular file: `fd` is open for reading
    kDirectory,  // a directory
    kMissing,    // nothing that we serve: no such name, out of the root, a FIFO, a device
    kForbidden,  // there, but not for this process
    kExhausted,  // no descriptors or memory left: try again
    kFailed,     // the disk or the file system says no
  };
  Found found = Found::kMissing;
  Fd fd;
  uint64_t size = 0;
  absl::Time modified;  // as fine as the file system has it
};

class DocumentRoot {
 public:
  enum class Resolution {
    kBeneath,  // openat2
    kWalk,     // where a sandbox forbids openat2: segment by segment, no symbolic links at all
  };

  enum class Opening {
    kAfterALook,
    kAtOnce,  // where /proc is missing
  };

  // NotFound, InvalidArgument (not a directory), PermissionDenied: one line each. The directory is held
  // open: when its name comes to mean another one, the next worker serves that.
  static absl::StatusOr<DocumentRoot> Open(const std::string& directory);

  // `relative` as ResolvePath() gives it; empty for the root itself. Never blocks on a FIFO.
  Document Find(const std::string& relative) const;

  const Fd& fd() const { return root_; }
  Resolution resolution() const { return resolution_; }
  void set_resolution(Resolution resolution) { resolution_ = resolution; }
  Opening opening() const {
    return own_descriptors_.valid() ? Opening::kAfterALook : Opening::kAtOnce;
  }
  void OpenAtOnce() { own_descriptors_.Reset(); }

 private:
  DocumentRoot(Fd root, Fd own_descriptors, Resolution resolution)
      : root_(std::move(root)),
        own_descriptors_(std::move(own_descriptors)),
        resolution_(resolution) {}
  Fd OpenForReading(Fd place) const;

  Fd root_;
  Fd own_descriptors_;  // /proc/self/fd; not valid: it is not there
  Resolution resolution_;
};

}  // namespace uc::app

#endif  // CORE_APP_DOCUMENT_ROOT_H_
