#include "tools/process_user.h"

#include <pwd.h>
#include <sys/types.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace uc::tools {

// Not the owner of /proc/PID: that is root for a process that has changed its ids (proc(5)).
std::string ProcessUser(int pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Uid:", 0) != 0) continue;
    std::istringstream words(line.substr(4));
    uid_t real = 0;
    uid_t effective = 0;
    if (!(words >> real >> effective)) return "";
    const passwd* const account = getpwuid(effective);
    return account != nullptr ? absl::StrCat(account->pw_name, " (id ", effective, ")")
                              : absl::StrCat(effective);
  }
  return "";
}

}  // namespace uc::tools
