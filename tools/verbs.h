// Verbs: everything that the CLI does to clusters that run already.
#ifndef TOOLS_VERBS_H_
#define TOOLS_VERBS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/base_owner.h"

namespace uc::tools {

struct VerbOptions {
  std::string base_directory;
  Acting acting = Acting::kAsOurselves;  // in base_directory
  std::string typed;                     // the verb as it was typed: answers begin with it
  bool json = false;
  int64_t worker = -1;  // restart: this slot only
  bool graceful = false;
  bool now = false;
};

// scale, reload, restart, stop, ping, list, describe and their other names; true for known verbs.
bool IsVerb(const std::string& verb);
// Prints, and returns the exit code: 0 done, 1 failed, 2 the operator's fault.
int RunVerb(const std::string& verb, const std::vector<std::string>& positionals,
            const VerbOptions& options);

}  // namespace uc::tools

#endif  // TOOLS_VERBS_H_
