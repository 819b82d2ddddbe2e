// Programs that a verb runs and waits for: ourselves with other words, and node for config files that are code.
#ifndef TOOLS_SUBPROCESS_H_
#define TOOLS_SUBPROCESS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace uc::tools {

struct Subprocess {
  std::string path;                      // or a name to be found in PATH
  std::vector<std::string> arguments;    // argv, argv[0] included
  std::string directory;                 // empty: here
  std::vector<std::string> environment;  // KEY=VALUE
};

// This very program with these words.
Subprocess Ourselves(std::vector<std::string> words);

// Waits for its end; stdout and stderr are ours. The exit code, or 128 + the signal. NotFound: there is no such program.
// InvalidArgument: the directory cannot be entered.
absl::StatusOr<int> Run(const Subprocess& subprocess);
// The same, and what it has written to stdout.
absl::StatusOr<int> Run(const Subprocess& subprocess, std::string* output);

}  // namespace uc::tools

#endif  // TOOLS_SUBPROCESS_H_
