#include "tools/print_error.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tools/printable.h"

namespace uc::tools {

void PrintError(absl::string_view text) {
  const std::string line = absl::StrCat("uring-cluster: ", Printable(text), "\n");
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace uc::tools
