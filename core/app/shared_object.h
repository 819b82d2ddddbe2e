// SharedObject: an app in a file of its own (app.h): is it one, and load it.
#ifndef CORE_APP_SHARED_OBJECT_H_
#define CORE_APP_SHARED_OBJECT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/app/app.h"

namespace uc::app {

// Looks at the file's ELF header and program headers; runs none of its code. NotFound, PermissionDenied,
// InvalidArgument (not a complete ELF shared object of this machine), one line each.
absl::Status CheckSharedObject(const std::string& path);

// dlopen(RTLD_NOW | RTLD_LOCAL), never unloaded: its code may sit on any stack, in any callback.
// A path without a slash means the current directory, never the library path.
absl::StatusOr<std::unique_ptr<App>> LoadSharedObject(const std::string& path);

}  // namespace uc::app

#endif  // CORE_APP_SHARED_OBJECT_H_
