// CheckOwnFile: whether what lies in an open file is to be believed: it is ours, and nobody else can have written it. A
// folder that was checked may still hold what another user was once given, or what an operator has put there.
#ifndef CORE_BASE_OWN_FILE_H_
#define CORE_BASE_OWN_FILE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc {

// A regular file of the effective user that nobody else may write. InvalidArgument (no regular file), PermissionDenied,
// in one line; `path` is for what is said.
absl::Status CheckOwnFile(const Fd& fd, absl::string_view path);

}  // namespace uc

#endif  // CORE_BASE_OWN_FILE_H_
