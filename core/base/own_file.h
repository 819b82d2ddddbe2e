// OpenOwnFile: the one way to open a file that lies in a folder of ours and whose content is going to be believed. A folder
// that was checked may still hold what another user was once given, or what an operator has put there.
#ifndef CORE_BASE_OWN_FILE_H_
#define CORE_BASE_OWN_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc {

// `name` below the descriptor `folder` (AT_FDCWD: a path); `path` is for what is said. A regular file of the effective user
// that nobody else may write; no link is followed, nothing blocks. NotFound, PermissionDenied (another user's, or others
// may write it), InvalidArgument (no regular file, or it cannot be opened): one line with the cure. What O_CREAT makes is
// ours alone.
absl::StatusOr<Fd> OpenOwnFile(int folder, const std::string& name, int flags,
                               const std::string& path);
// The same of a folder, for reading. Errors as above.
absl::StatusOr<Fd> OpenOwnFolder(const std::string& path);

}  // namespace uc

#endif  // CORE_BASE_OWN_FILE_H_
