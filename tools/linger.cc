#include "tools/linger.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace uc::tools {

std::string LingerWarning(const std::string& base, const std::string& runtime_directory,
                          const std::string& user, const std::string& linger_folder) {
  if (runtime_directory.empty() || !absl::StartsWith(base, runtime_directory + "/")) return "";
  if (!user.empty() && access(absl::StrCat(linger_folder, "/", user).c_str(), F_OK) == 0) return "";
  return absl::StrCat(base, ": is removed at your last logout, with the control of this cluster; ",
                      "'loginctl enable-linger' keeps it, or choose another --run-dir");
}

std::string LingerWarning(const std::string& base) {
  const char* const runtime_directory = getenv("XDG_RUNTIME_DIR");
  if (geteuid() == 0 || runtime_directory == nullptr) return "";
  const passwd* const user = getpwuid(geteuid());
  return LingerWarning(base, runtime_directory, user != nullptr ? user->pw_name : "",
                       "/var/lib/systemd/linger");
}

}  // namespace uc::tools
