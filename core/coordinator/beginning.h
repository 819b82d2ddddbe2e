// Beginning: how a coordinator comes to its cluster, before the first turn of its loop: afresh, or by going on with the
// workers of one that has gone. It claims the addresses, chooses the mode, makes or takes over the scoreboard.
//
// Whatever is the operator's fault is found here, before any worker was spawned. What happens to the cluster
// afterwards is the Coordinator's.
#ifndef CORE_COORDINATOR_BEGINNING_H_
#define CORE_COORDINATOR_BEGINNING_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/coordinator/cluster.h"
#include "core/coordinator/coordinator_options.h"
#include "core/coordinator/former_workers.h"
#include "core/coordinator/process_watch.h"
#include "core/coordinator/run_directory.h"
#include "core/coordinator/upgrade.h"
#include "core/net/address.h"
#include "core/scoreboard/layout.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

// Where the workers that are found listen, if that is what was asked for; else FailedPrecondition.
absl::StatusOr<std::vector<net::Address>> AddressesInForce(const CoordinatorOptions& options,
                                                           const scoreboard::Header& header);

// Before anything is touched: FailedPrecondition where workers of a coordinator before us serve and this program, or
// these options, cannot go on with them. Says why, and the cure.
absl::Status CheckUnderstood(const CoordinatorOptions& options,
                             const absl::StatusOr<scoreboard::Scoreboard>& board);

class Beginning {
 public:
  Beginning(const CoordinatorOptions& options, ProcessWatch watch)
      : options_(options), watch_(std::move(watch)) {}
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;

  // One of the two, once. After a failure of GoOn the workers serve on, and what they need to be found stays.
  absl::Status Afresh(const RunDirectory& directory);
  // `upgrade`: what the program before us left; nullptr: there was none.
  absl::Status GoOn(scoreboard::Scoreboard board, Greeted greeted, const UpgradeState* upgrade);

  // As the mode has made them.
  const CoordinatorOptions& options() const { return options_; }
  // Once one of the two has succeeded; lives as long as this.
  Cluster& cluster() { return *cluster_; }

 private:
  CoordinatorOptions options_;
  ProcessWatch watch_;
  std::vector<Fd> claims_;  // of the listen addresses, for the life of the cluster
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_BEGINNING_H_
