#include "core/exec/program.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/fd.h"

namespace uc::exec {
namespace {

struct Ending {
  absl::string_view ending;
  absl::string_view interpreter;
};
constexpr Ending kEndings[] = {{".js", "node"},    {".mjs", "node"}, {".cjs", "node"},
                               {".py", "python3"}, {".rb", "ruby"},  {".pl", "perl"},
                               {".sh", "bash"}};

// Of the architecture that the preload library is built for.
constexpr char kGlibcLinker[] = "ld-linux-x86-64.so.2";

bool IsExecutableFile(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0;
}

// Where the program's PATH has it; nullopt: nowhere.
std::optional<std::string> InPath(const std::string& name, const ProgramOptions& options) {
  if (absl::StrContains(name, '/')) {
    return IsExecutableFile(name) ? std::optional<std::string>(name) : std::nullopt;
  }
  const char* const ours = getenv("PATH");
  const std::string path =
      options.search_path.value_or(ours != nullptr ? ours : "/usr/local/bin:/usr/bin:/bin");
  for (const absl::string_view folder : absl::StrSplit(path, ':')) {
    const std::string candidate = absl::StrCat(folder.empty() ? "." : folder, "/", name);
    if (IsExecutableFile(candidate)) return candidate;
  }
  return std::nullopt;
}

// The names of its sections, as one text; empty: it has none.
std::string SectionNames(const Fd& file, const Elf64_Ehdr& head) {
  if (head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shstrndx >= head.e_shnum) return "";
  Elf64_Shdr names;
  const off_t where = static_cast<off_t>(head.e_shoff + head.e_shstrndx * sizeof(names));
  if (pread(file.get(), &names, sizeof(names), where) != sizeof(names)) return "";
  std::string text(std::min<size_t>(names.sh_size, 64 * 1024), '\0');
  const ssize_t size =
      pread(file.get(), text.data(), text.size(), static_cast<off_t>(names.sh_offset));
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return text;
}

std::string BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

// PT_INTERP; nullopt: it is linked statically.
std::optional<std::string> DynamicLinker(const Fd& file, const Elf64_Ehdr& head) {
  for (int i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part;
    const off_t where = static_cast<off_t>(head.e_phoff + static_cast<size_t>(i) * sizeof(part));
    if (pread(file.get(), &part, sizeof(part), where) != sizeof(part)) return std::nullopt;
    if (part.p_type != PT_INTERP) continue;
    std::string path(std::min<size_t>(part.p_filesz, PATH_MAX), '\0');
    const ssize_t size =
        pread(file.get(), path.data(), path.size(), static_cast<off_t>(part.p_offset));
    path.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return path.substr(0, path.find('\0'));
  }
  return std::nullopt;
}

// Of a file that begins with "#!": what the kernel runs it by; empty: it is none.
std::string ScriptInterpreter(const Fd& file) {
  char text[256];
  const ssize_t size = file.valid() ? pread(file.get(), text, sizeof(text), 0) : -1;
  absl::string_view line(text, size < 0 ? 0 : static_cast<size_t>(size));
  if (!absl::ConsumePrefix(&line, "#!")) return "";
  line = absl::StripLeadingAsciiWhitespace(line.substr(0, line.find('\n')));
  return std::string(line.substr(0, line.find_first_of(" \t")));
}

std::string WorkingDirectory() {
  char path[PATH_MAX];
  return getcwd(path, sizeof(path)) != nullptr ? path : ".";
}

// Not resolved: a symbolic link is where a deploy puts the next version.
std::string Absolute(const std::string& path, const std::string& from) {
  if (path.empty()) return from;
  return path[0] == '/' ? path : absl::StrCat(from, "/", path);
}

}  // namespace

absl::string_view InterpreterOf(absl::string_view path) {
  for (const Ending& known : kEndings) {
    if (absl::EndsWith(path, known.ending)) return known.interpreter;
  }
  return "";
}

bool BypassesLibc(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const std::string runs_it = ScriptInterpreter(file);
  if (!runs_it.empty()) file.Reset(open(runs_it.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Elf64_Ehdr head;
  if (!file.valid() || pread(file.get(), &head, sizeof(head), 0) != sizeof(head) ||
      memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) {
    return false;
  }
  if (head.e_ident[EI_CLASS] != ELFCLASS64) return true;
  if (head.e_phentsize != sizeof(Elf64_Phdr)) return false;
  const std::optional<std::string> linker = DynamicLinker(file, head);
  return !linker.has_value() || BaseName(*linker) != kGlibcLinker ||
         absl::StrContains(SectionNames(file, head), ".go.buildinfo");
}

absl::StatusOr<Program> FindProgram(const ProgramOptions& options) {
  std::string interpreter = options.interpreter;
  if (interpreter.empty()) interpreter = std::string(InterpreterOf(options.path));
  const std::string path = Absolute(options.path, Absolute(options.directory, WorkingDirectory()));
  Program program;
  if (interpreter.empty() || interpreter == "none") {
    const std::optional<std::string> found =
        absl::StrContains(options.path, '/') || access(path.c_str(), F_OK) == 0
            ? path
            : InPath(options.path, options);
    struct stat file;
    if (!found.has_value() || stat(found->c_str(), &file) != 0) {
      return absl::NotFoundError(absl::StrCat(
          options.path, ": no such app: not hello, echo or static, no file, and not in PATH"));
    }
    if (!IsExecutableFile(*found)) {
      return absl::PermissionDeniedError(
          absl::StrCat(options.path,
                       ": is not executable, and its name does not tell an interpreter (chmod +x, "
                       "or --interpreter=)"));
    }
    program.argv.push_back(*found);
    const Fd text(open(found->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!ScriptInterpreter(text).empty()) program.script = *found;
  } else {
    struct stat file;
    if (stat(path.c_str(), &file) != 0) {
      return absl::NotFoundError(absl::StrCat(options.path, ": no such file"));
    }
    if (!S_ISREG(file.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(options.path, ": is not a file"));
    }
    const std::optional<std::string> found = InPath(interpreter, options);
    if (!found.has_value()) {
      return absl::NotFoundError(
          absl::StrCat(options.path, ": its interpreter '", interpreter,
                       "' is not in PATH (install it, or --interpreter=PATH)"));
    }
    program.argv = {*found};
    program.argv.insert(program.argv.end(), options.interpreter_arguments.begin(),
                        options.interpreter_arguments.end());
    program.argv.push_back(path);
    program.script = path;
    program.node = BaseName(interpreter) == "node" || BaseName(interpreter) == "nodejs";
  }
  program.argv.insert(program.argv.end(), options.arguments.begin(), options.arguments.end());
  program.bypasses_libc = BypassesLibc(program.argv[0]);
  return program;
}

}  // namespace uc::exec
