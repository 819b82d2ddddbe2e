#include "core/http/ascii_target.h"

namespace uc::http {

std::string AsciiTarget(absl::string_view target) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(target.size());
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text.push_back(c);
      continue;
    }
    text.push_back('%');
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace uc::http
