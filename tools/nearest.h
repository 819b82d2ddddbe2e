// Nearest: which of these words was probably meant. PURE.
#ifndef TOOLS_NEAREST_H_
#define TOOLS_NEAREST_H_

#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

// "" if none is near. Words of one letter are never meant.
std::string Nearest(absl::string_view word, const std::set<std::string>& candidates);

}  // namespace uc::tools

#endif  // TOOLS_NEAREST_H_
