// Load: an app by the name that the operator gave: "hello", "echo", "static" (+ DIR) or a path of a
// shared object.
#ifndef CORE_APP_LOAD_H_
#define CORE_APP_LOAD_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/app/app.h"
#include "core/app/path.h"

namespace uc::app {

// "hello", "echo", "static".
bool IsBuiltIn(const std::string& name);
// One of the built-ins, or by its name a shared object. Anything else is a program of its own: not for LoadApp().
bool IsNative(const std::string& name);

// What can be said about the app without running any of its code: called by the coordinator before it
// spawns. NotFound / InvalidArgument in one line: unknown built-in (with the list of those that exist),
// file missing, not readable, not an ELF shared object of this machine, static without DIR or with one
// that is no directory.
absl::Status CheckApp(const std::string& name, absl::Span<const std::string> arguments);

// Called by the worker. A shared object is loaded with dlopen(RTLD_NOW | RTLD_LOCAL) and never unloaded.
// FailedPrecondition for another ABI version (names both), for a missing entry point and for what
// dlopen says.
absl::StatusOr<std::unique_ptr<App>> LoadApp(const std::string& name,
                                             absl::Span<const std::string> arguments,
                                             Dotfiles dotfiles = Dotfiles::kHidden);

}  // namespace uc::app

#endif  // CORE_APP_LOAD_H_
