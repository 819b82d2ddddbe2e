#include "core/app/load.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/app/document_root.h"
#include "core/app/echo.h"
#include "core/app/hello.h"
#include "core/app/shared_object.h"
#include "core/app/static_files.h"

namespace uc::app {
namespace {

enum class Kind {
  kHello,
  kEcho,
  kStatic,
  kFile,  // anything else is the path of a file
};

Kind KindOf(const std::string& name) {
  if (name == "hello") return Kind::kHello;
  if (name == "echo") return Kind::kEcho;
  if (name == "static") return Kind::kStatic;
  return Kind::kFile;
}

absl::Status WantNoArguments(const std::string& name, absl::Span<const std::string> arguments) {
  if (arguments.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " takes no arguments, but got '", arguments.front(), "'"));
}

absl::Status WantOneDirectory(absl::Span<const std::string> arguments) {
  if (arguments.empty() || arguments.front().empty()) {
    return absl::InvalidArgumentError("static wants the directory to serve: static DIR");
  }
  if (arguments.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("static takes one directory, but got '", arguments[1], "' as well"));
  }
  return absl::OkStatus();
}

// A bare word that names no file is a mistyped built-in rather than a missing file.
absl::Status WantFile(const std::string& name) {
  if (absl::StrContains(name, '/') || absl::EndsWith(name, ".so")) return absl::OkStatus();
  if (!name.empty() && access(name.c_str(), F_OK) == 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      "no such app: '", name,
      "' (there are hello, echo, static DIR, proxy ADDR, or the path of a shared object such as "
      "./libmyapp.so)"));
}

absl::Status CheckWords(Kind kind, const std::string& name,
                        absl::Span<const std::string> arguments) {
  switch (kind) {
    case Kind::kHello:
    case Kind::kEcho:
      return WantNoArguments(name, arguments);
    case Kind::kStatic:
      return WantOneDirectory(arguments);
    case Kind::kFile:
      return WantFile(name);
  }
  return absl::OkStatus();
}

}  // namespace

bool IsBuiltIn(const std::string& name) { return KindOf(name) != Kind::kFile; }

bool IsNative(const std::string& name) {
  return IsBuiltIn(name) || absl::EndsWith(name, ".so") || absl::StrContains(name, ".so.");
}

absl::Status CheckApp(const std::string& name, absl::Span<const std::string> arguments) {
  const Kind kind = KindOf(name);
  if (absl::Status status = CheckWords(kind, name, arguments); !status.ok()) return status;
  switch (kind) {
    case Kind::kHello:
    case Kind::kEcho:
      return absl::OkStatus();
    case Kind::kStatic:
      return DocumentRoot::Open(arguments.front()).status();
    case Kind::kFile:
      return CheckSharedObject(name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<App>> LoadApp(const std::string& name,
                                             absl::Span<const std::string> arguments,
                                             Dotfiles dotfiles) {
  const Kind kind = KindOf(name);
  if (absl::Status status = CheckWords(kind, name, arguments); !status.ok()) return status;
  switch (kind) {
    case Kind::kHello:
      return std::make_unique<Hello>();
    case Kind::kEcho:
      return std::make_unique<Echo>();
    case Kind::kStatic:
      return std::make_unique<StaticFiles>(arguments.front(), dotfiles);
    case Kind::kFile:
      return LoadSharedObject(name);
  }
  return absl::InternalError("no such kind of app");
}

}  // namespace uc::app
