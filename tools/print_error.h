// PrintError: how every verb reports what is wrong: one line on stderr, "uring-cluster: TEXT".
#ifndef TOOLS_PRINT_ERROR_H_
#define TOOLS_PRINT_ERROR_H_

#include "absl/strings/string_view.h"

namespace uc::tools {

void PrintError(absl::string_view text);

}  // namespace uc::tools

#endif  // TOOLS_PRINT_ERROR_H_
