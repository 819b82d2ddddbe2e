#include "core/base/check.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace uc {

void CheckFailed(const char* file, int line, const char* condition) {
  char text[512];
  const int size =
      std::snprintf(text, sizeof(text), "%s:%d: check failed: %s\n", file, line, condition);
  if (size > 0) {
    const size_t length = static_cast<size_t>(size) < sizeof(text) ? size : sizeof(text) - 1;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, length);
  }
  std::abort();
}

}  // namespace uc
