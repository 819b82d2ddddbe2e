#include "core/base/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc {

std::string ReadSmallFile(const std::string& path) {
  char text[64];
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text)) : 0;
  return size > 0 ? std::string(absl::StripAsciiWhitespace(absl::string_view(text, size))) : "";
}

}  // namespace uc
