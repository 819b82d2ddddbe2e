// Cluster directories: where clusters live (BASE/NAME), which there are, and whether their coordinators
// live. The lock says that; nothing else does.
#ifndef TOOLS_CLUSTER_DIRECTORY_H_
#define TOOLS_CLUSTER_DIRECTORY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::tools {

class TrustedFolder;

// $URING_CLUSTER_RUN_DIR, else /run/uring-cluster for root, else $XDG_RUNTIME_DIR/uring-cluster, else
// /tmp/uring-cluster-UID.
std::string DefaultBaseDirectory();

// Where things stay that outlive a boot (logs, what `save` has saved): $URING_CLUSTER_STATE_DIR; for the default BASE
// /var/lib/uring-cluster for root, else $XDG_STATE_HOME/uring-cluster or ~/.local/state/uring-cluster; for any other
// BASE/.state, so that clusters of one name in two places do not share a file.
std::string StateDirectory(const std::string& base);
// Makes it and what is above it, for us alone, and through nobody else's link (trusted_folder.h).
absl::Status MakeStateDirectory(const std::string& base);

// [A-Za-z0-9._-]{1,63}, not beginning with '.' or '-'.
absl::Status CheckClusterName(const std::string& name);

// Makes BASE/NAME (mode 0700) and returns it. Refused in one line: bad name, not writable, and what is not to be
// trusted (trusted_folder.h).
absl::StatusOr<std::string> PrepareClusterDirectory(const std::string& base,
                                                    const std::string& name);

// Whether BASE is to be trusted and can be read (trusted_folder.h); a missing BASE is one without clusters.
absl::Status CheckReadable(const std::string& base);

// Names below BASE that are cluster names and have such a file, sorted; none in a BASE that is not to be trusted.
std::vector<std::string> ListWith(const std::string& base, const std::string& file);
// Names of what looks like a cluster below BASE, sorted.
std::vector<std::string> ListClusters(const std::string& base);

// Names of the folders below BASE that have a cluster's name and are not to be trusted, sorted: whether a cluster lives
// there cannot be known.
std::vector<std::string> ListRefused(const std::string& base);

// Why there is no cluster of this name: PermissionDenied if its folder is not to be trusted, else NotFound, which lists
// those that are known.
absl::Status NoCluster(const std::string& base, const std::string& name,
                       const std::vector<std::string>& known);
// The name of a cluster that runs: `name`, or the only one there is. NotFound says that it is stopped, or lists those
// that exist.
absl::StatusOr<std::string> ResolveCluster(const std::string& base, const std::string& name);

// True while a coordinator holds BASE/NAME's lock.
bool CoordinatorLives(const std::string& directory);
bool CoordinatorLives(const TrustedFolder& folder);

// Of the cluster in this folder. Errors as Scoreboard::OpenReadOnly() and TrustedFolder::OpenFile().
absl::StatusOr<scoreboard::Scoreboard> OpenScoreboard(const TrustedFolder& folder);
// For whom it names, not for figures: whatever is wrong with its reports, as for a coordinator that takes it over.
absl::StatusOr<scoreboard::Scoreboard> OpenRows(const TrustedFolder& folder);

}  // namespace uc::tools

#endif  // TOOLS_CLUSTER_DIRECTORY_H_
