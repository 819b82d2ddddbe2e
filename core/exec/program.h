// Program: which command line runs an app that is a file of its own: a script by its interpreter, an executable
// directly.
#ifndef CORE_EXEC_PROGRAM_H_
#define CORE_EXEC_PROGRAM_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::exec {

struct ProgramOptions {
  std::string path;         // as it was given; relative to `directory`
  std::string interpreter;  // empty: by the path's ending; "none": run the path itself
  std::vector<std::string> interpreter_arguments;  // before the path
  std::vector<std::string> arguments;
  std::string directory;                   // empty: where we are
  std::optional<std::string> search_path;  // PATH of the program; nullopt: ours
};

struct Program {
  std::vector<std::string> argv;  // argv[0]: a path
  std::string script;             // what an interpreter reads; empty: there is none
  bool node = false;              // speaks Node's IPC channel
  bool bypasses_libc = false;     // no preload library reaches its sockets (BypassesLibc)
};

// "node" for .js .mjs .cjs, "python3" for .py, "ruby" for .rb, "perl" for .pl, "bash" for .sh; "" for others.
absl::string_view InterpreterOf(absl::string_view path);

// An ELF executable without a dynamic linker, with another one than glibc's of this architecture (musl, 32 bits), or
// built by Go; or a script that such a one runs ("#!").
bool BypassesLibc(const std::string& path);

// NotFound, PermissionDenied, InvalidArgument in one line: no such file, a directory, not executable and no
// interpreter known for it, interpreter not installed.
absl::StatusOr<Program> FindProgram(const ProgramOptions& options);

}  // namespace uc::exec

#endif  // CORE_EXEC_PROGRAM_H_
