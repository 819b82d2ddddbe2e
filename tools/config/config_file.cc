#include "tools/config/config_file.h"

#include <stdlib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/record.h"
#include "tools/subprocess.h"
#include "tools/text_file.h"

namespace uc::tools {
namespace {

constexpr size_t kConfigBytesMax = 4 << 20;

// CommonJS and ES modules alike; what the file itself prints must not get into the JSON.
constexpr char kPrinter[] =
    "const out = process.stdout.write.bind(process.stdout);"
    "process.stdout.write = process.stderr.write.bind(process.stderr);"
    "const {pathToFileURL} = require('url');"
    "import(pathToFileURL(require('path').resolve(process.argv[1])).href).then(m => {"
    "  const c = m.default !== undefined ? m.default : m;"
    "  out(JSON.stringify(typeof c === 'function' ? c() : c));"
    "}).catch(e => { console.error(String(e && e.message || e)); process.exitCode = 1; });";

bool IsCode(const std::string& word) {
  return absl::EndsWith(word, ".config.js") || absl::EndsWith(word, ".config.cjs") ||
         absl::EndsWith(word, ".config.mjs");
}

bool IsYaml(const std::string& word) {
  return absl::EndsWith(word, ".yaml") || absl::EndsWith(word, ".yml");
}

absl::StatusOr<std::string> RunByNode(const std::string& path) {
  // Its absence is told apart from node's.
  if (absl::Status status = ReadTextFile(path, kConfigBytesMax).status(); !status.ok()) {
    return absl::InvalidArgumentError(status.message());
  }
  std::string output;
  const absl::StatusOr<int> exit_code =
      Run({"node", {"node", "-e", kPrinter, path}, "", Environment()}, &output);
  if (absl::IsNotFound(exit_code.status())) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a program for node, and there is no node; install it, or write ",
                     "the same as JSON"));
  }
  if (!exit_code.ok()) return exit_code.status();
  if (*exit_code != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": node could not run it (exit code ", *exit_code, ", see above)"));
  }
  return output;
}

}  // namespace

bool IsConfigFile(const std::string& word) {
  return word == "-" || absl::EndsWith(word, ".json") || IsCode(word) || IsYaml(word);
}

absl::StatusOr<std::string> ReadConfig(const std::string& word) {
  if (IsYaml(word)) {
    return absl::InvalidArgumentError(
        absl::StrCat(word, ": YAML is not read; write the same as JSON"));
  }
  if (IsCode(word)) return RunByNode(word);
  absl::StatusOr<std::string> text =
      ReadTextFile(word == "-" ? "/dev/stdin" : word, kConfigBytesMax);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  return text;
}

}  // namespace uc::tools
