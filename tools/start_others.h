// Everything that `start` can start besides one app: what was stopped, what was saved, and the apps of a config file.
// Each is a cluster of its own behind --daemon, started by this program run with that cluster's words.
//
// The rule for several: each is tried, whatever becomes of the others; what failed is named at the end, and the exit
// code is the worst of theirs. Refused: all or nothing, because it would stop what serves already.
#ifndef TOOLS_START_OTHERS_H_
#define TOOLS_START_OTHERS_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/config/ecosystem.h"
#include "tools/flag_walk.h"
#include "tools/record.h"

namespace uc::tools {

enum class WhenRunning {
  kRefuse,   // start
  kReload,   // startOrReload
  kRestart,  // startOrRestart: stop, then start with the file's words
};

// The flags that go with a config file besides those of every verb.
FlagSet ConfigFlags();

// Starts the apps of a config file. `start_flags`: that `start` has.
int StartConfig(const std::string& base, const std::string& file, const FlagSet& start_flags,
                WhenRunning when_running);

// Starts these clusters with the words they had. None of them runs.
int StartAgain(const std::string& base, const std::vector<ClusterRecord>& records);

// `start` with nothing but words: all of them config files, "all", or names of clusters that are stopped. nullopt:
// neither, so it is an app.
std::optional<int> StartOthers(const std::string& base, const WalkResult& walk,
                               const FlagSet& start_flags);

}  // namespace uc::tools

#endif  // TOOLS_START_OTHERS_H_
