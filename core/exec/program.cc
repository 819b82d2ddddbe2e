#include "core/exec/program.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc::exec {
namespace {

struct Ending {
  absl::string_view ending;
  absl::string_view interpreter;
};
constexpr Ending kEndings[] = {{".js", "node"},    {".mjs", "node"}, {".cjs", "node"},
                               {".py", "python3"}, {".rb", "ruby"},  {".pl", "perl"},
                               {".sh", "bash"}};

bool IsExecutableFile(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0;
}

// Where PATH has it; nullopt: nowhere.
std::optional<std::string> InPath(const std::string& name) {
  if (absl::StrContains(name, '/')) {
    return IsExecutableFile(name) ? std::optional<std::string>(name) : std::nullopt;
  }
  const char* const path = getenv("PATH");
  for (const absl::string_view folder :
       absl::StrSplit(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const std::string candidate = absl::StrCat(folder.empty() ? "." : folder, "/", name);
    if (IsExecutableFile(candidate)) return candidate;
  }
  return std::nullopt;
}

std::string BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace

absl::string_view InterpreterOf(absl::string_view path) {
  for (const Ending& known : kEndings) {
    if (absl::EndsWith(path, known.ending)) return known.interpreter;
  }
  return "";
}

absl::StatusOr<Program> FindProgram(const ProgramOptions& options) {
  std::string interpreter = options.interpreter;
  if (interpreter.empty()) interpreter = std::string(InterpreterOf(options.path));
  const bool relative = !absl::StartsWith(options.path, "/");
  const std::string path = relative && !options.directory.empty()
                               ? absl::StrCat(options.directory, "/", options.path)
                               : options.path;
  Program program;
  if (interpreter.empty() || interpreter == "none") {
    const std::optional<std::string> found =
        absl::StrContains(options.path, '/') || access(path.c_str(), F_OK) == 0
            ? path
            : InPath(options.path);
    struct stat file;
    if (!found.has_value() || stat(found->c_str(), &file) != 0) {
      return absl::NotFoundError(absl::StrCat(
          options.path, ": no such app: not hello, echo or static, no file, and nothing in PATH"));
    }
    if (!IsExecutableFile(*found)) {
      return absl::PermissionDeniedError(
          absl::StrCat(options.path,
                       ": is not executable, and its name does not tell an interpreter (chmod +x, "
                       "or --interpreter=)"));
    }
    program.argv.push_back(absl::StrContains(*found, '/') ? *found : absl::StrCat("./", *found));
  } else {
    struct stat file;
    if (stat(path.c_str(), &file) != 0) {
      return absl::NotFoundError(absl::StrCat(options.path, ": no such file"));
    }
    if (!S_ISREG(file.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(options.path, ": is not a file"));
    }
    const std::optional<std::string> found = InPath(interpreter);
    if (!found.has_value()) {
      return absl::NotFoundError(
          absl::StrCat(options.path, ": its interpreter '", interpreter,
                       "' is not in PATH (install it, or --interpreter=PATH)"));
    }
    program.argv = {*found, path};
    program.node = BaseName(interpreter) == "node" || BaseName(interpreter) == "nodejs";
  }
  program.argv.insert(program.argv.end(), options.arguments.begin(), options.arguments.end());
  return program;
}

}  // namespace uc::exec
