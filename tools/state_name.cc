#include "tools/state_name.h"

#include <limits.h>
#include <stdlib.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tools/cluster_directory.h"
#include "tools/orphans.h"
#include "tools/text_file.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

// However it was named.
std::string Plain(const std::string& path) {
  char plain[PATH_MAX];
  return realpath(path.c_str(), plain) != nullptr ? plain : path;
}

}  // namespace

absl::Status TakeStateName(const std::string& base, const std::string& name) {
  const std::string state = StateDirectory(base);
  const absl::StatusOr<TrustedFolder> names =
      TrustedFolder::Make(state + "/names", TrustedFolder::Making::kFoldersAbove);
  if (!names.ok()) return absl::OkStatus();
  const std::string ours = Plain(base);
  const absl::StatusOr<std::string> text = ReadTextFile(*names, name, PATH_MAX);
  const std::string before = text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : ours;
  if (before == ours && text.ok()) return absl::OkStatus();
  const std::string other = absl::StrCat(before, "/", name);
  // Workers whose coordinator has gone go on writing, too.
  if (before != ours && (CoordinatorLives(other) || CountOrphans(other) > 0)) {
    return absl::AlreadyExistsError(
        absl::StrCat("cluster ", name, " runs in ", before, " already, and its logs are in ", state,
                     ", too; choose another --name, or stop that one (--run-dir=", before, ")"));
  }
  ReplaceTextFile(*names, name, ours + "\n").IgnoreError();
  return absl::OkStatus();
}

}  // namespace uc::tools
