// Whole small text files: reading with a limit, and replacing so that a reader sees the old or the new one.
#ifndef TOOLS_TEXT_FILE_H_
#define TOOLS_TEXT_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::tools {

class TrustedFolder;

// NotFound: it is not there. InvalidArgument: it cannot be read, or is longer than `bytes_max`.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t bytes_max);
// The same of a file of ours in such a folder (TrustedFolder::OpenFile).
absl::StatusOr<std::string> ReadTextFile(const TrustedFolder& folder, const std::string& name,
                                         size_t bytes_max);
// Mode 0600. Says what, where and why.
absl::Status ReplaceTextFile(const std::string& path, absl::string_view text);
absl::Status ReplaceTextFile(const TrustedFolder& folder, const std::string& name,
                             absl::string_view text);

}  // namespace uc::tools

#endif  // TOOLS_TEXT_FILE_H_
