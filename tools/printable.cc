#include "tools/printable.h"

#include <cstddef>

namespace uc::tools {
namespace {

// Bytes of the well-formed sequence that `text` begins with; 0: it begins with none.
size_t SequenceBytes(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f;
  const bool beyond = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : size;
}

// U+0000 to U+001F, U+007F, U+0080 to U+009F.
bool IsControl(absl::string_view sequence) {
  const unsigned char first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t size = SequenceBytes(text);
    const absl::string_view sequence = text.substr(0, size);
    if (size == 0) {
      result.push_back('?');
    } else if (IsControl(sequence)) {
      result.push_back(' ');
    } else {
      result.append(sequence.data(), sequence.size());
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return result;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = SequenceBytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace uc::tools
