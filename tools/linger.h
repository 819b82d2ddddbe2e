// Whether a run directory outlives its user's last session: systemd-logind removes XDG_RUNTIME_DIR then, unless the
// user lingers (loginctl(1), enable-linger).
#ifndef TOOLS_LINGER_H_
#define TOOLS_LINGER_H_

#include <string>

namespace uc::tools {

// A warning for `start --daemon` in BASE; empty where there is nothing to warn of. `user`: its account, or empty;
// `linger_folder`: where logind keeps a file for each user that lingers.
std::string LingerWarning(const std::string& base, const std::string& runtime_directory,
                          const std::string& user, const std::string& linger_folder);
// The same for this process.
std::string LingerWarning(const std::string& base);

}  // namespace uc::tools

#endif  // TOOLS_LINGER_H_
