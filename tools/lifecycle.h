// Lifecycle: stop, restart, reload and delete for one cluster, several or all, and what remembers clusters that do
// not run: the records of stopped ones (record.h), and the dump that `save` writes for `resurrect`.
#ifndef TOOLS_LIFECYCLE_H_
#define TOOLS_LIFECYCLE_H_

#include <string>
#include <vector>

#include "tools/verbs.h"

namespace uc::tools {

// Clusters that are remembered and do not run, neither their coordinator nor any worker; sorted.
std::vector<std::string> ListStopped(const std::string& base);
// A line for each record, of clusters that do not run and are not in `shown`, that is not believed: whether such a cluster
// is stopped, or was ever one, cannot be known. Returns the exit code that this makes.
int TellOfUnreadableRecords(const std::string& base, const std::vector<std::string>& shown);
// These, and those whose coordinator has died: a start takes over their workers.
std::vector<std::string> ListStartable(const std::string& base);

// stop, restart, reload, delete (del), kill, save (dump), resurrect, cleardump.
bool IsLifecycleVerb(const std::string& verb);
// `names`: "all", or none where there is one cluster. Each is tried; the exit code is the worst of theirs.
int RunLifecycleVerb(const std::string& verb, const std::vector<std::string>& names,
                     const VerbOptions& options);

// `words` of `start` without those that say where and how the program runs: --run-dir, --daemon.
std::vector<std::string> OwnWords(const std::vector<std::string>& words);
// `words` of `start` with this number of workers instead of theirs. Exposed for its test.
std::vector<std::string> WithWorkers(const std::vector<std::string>& words, uint32_t workers);

}  // namespace uc::tools

#endif  // TOOLS_LIFECYCLE_H_
