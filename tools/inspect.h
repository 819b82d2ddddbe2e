// The small verbs by which scripts look at clusters and speak to their workers: id, pid, env, sendSignal, and init,
// which prints a sample of a config file. They ask no coordinator.
#ifndef TOOLS_INSPECT_H_
#define TOOLS_INSPECT_H_

#include <string>
#include <vector>

#include "tools/verbs.h"

namespace uc::tools {

// id, pid, env, sendSignal, init, ecosystem.
bool IsInspectVerb(const std::string& verb);
int RunInspectVerb(const std::string& verb, const std::vector<std::string>& arguments,
                   const VerbOptions& options);

// "SIGUSR2", "usr2" or "12"; 0: there is no such signal.
int SignalNumber(const std::string& text);

}  // namespace uc::tools

#endif  // TOOLS_INSPECT_H_
