// PreloadFile: the preload library as a file that the dynamic linker of any process can map.
//
// It is in this binary, so that one binary is enough. A file, not a memfd: what the program starts in its turn
// inherits LD_PRELOAD but not our descriptors. Not in the run directory: that is closed to other users (--user), and
// /run is often mounted noexec.
#ifndef CORE_EXEC_PRELOAD_FILE_H_
#define CORE_EXEC_PRELOAD_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/exec/shared_folder.h"

namespace uc::exec {

enum class PreloadLibrary {
  kDirect,  // of a program that accepts from its slot's listener itself
  kSite,    // of one behind a front
};

// The library's bytes.
absl::string_view PreloadImage(PreloadLibrary library = PreloadLibrary::kDirect);

// Its path in the first of `folders` where it can be mapped executable; written if it is not there yet, in a folder
// of our own, and never removed: others may run with it. FailedPrecondition: nowhere.
absl::StatusOr<std::string> PlacePreload(const std::vector<std::string>& folders = SharedPlaces(),
                                         PreloadLibrary library = PreloadLibrary::kDirect);

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_FILE_H_
