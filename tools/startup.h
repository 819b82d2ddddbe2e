// Startup: systemd units for clusters that are known here, so that they come back after a boot, one Type=notify service
// each: systemd starts the coordinator in the foreground with the words that the cluster was started with.
#ifndef TOOLS_STARTUP_H_
#define TOOLS_STARTUP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/record.h"

namespace uc::tools {

struct StartupOptions {
  std::string base_directory;
  bool install = false;        // write the unit and enable it, instead of printing it
  std::string unit_directory;  // empty: /etc/systemd/system for root, else ~/.config/systemd/user
};

// `names`: none where one cluster is known. Return the exit code.
int RunStartup(const std::vector<std::string>& names, const StartupOptions& options);
// Disables and removes what --install has installed.
int RunUnstartup(const std::vector<std::string>& names, const StartupOptions& options);

enum class UnitKind { kSystem, kUser };
// The unit's text, in which every value means itself. PURE. InvalidArgument: a folder, program or PATH that
// systemd cannot take.
absl::StatusOr<std::string> UnitText(const ClusterRecord& record, const std::string& binary,
                                     UnitKind kind);

}  // namespace uc::tools

#endif  // TOOLS_STARTUP_H_
