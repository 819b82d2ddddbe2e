// Config files: which words of `start` are one, and their text as JSON.
#ifndef TOOLS_CONFIG_CONFIG_FILE_H_
#define TOOLS_CONFIG_CONFIG_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace uc::tools {

// "-" (JSON on stdin), and what ends in .json, .config.js, .config.cjs, .config.mjs, .yaml, .yml.
bool IsConfigFile(const std::string& word);

// The JSON text. A file that is code is run by node, which prints what it exports. InvalidArgument: not there, cannot
// be read, YAML, no node, node failed.
absl::StatusOr<std::string> ReadConfig(const std::string& word);

}  // namespace uc::tools

#endif  // TOOLS_CONFIG_CONFIG_FILE_H_
