#include "tools/byte_size.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace uc::tools {
namespace {

constexpr int64_t kBytesMax = int64_t{1} << 50;

int ShiftOf(char unit) {
  switch (absl::ascii_toupper(static_cast<unsigned char>(unit))) {
    case 'K':
      return 10;
    case 'M':
      return 20;
    case 'G':
      return 30;
    default:
      return 0;
  }
}

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSizeFlag* flag, std::string* error) {
  absl::string_view number = text;
  if (!absl::ConsumeSuffix(&number, "B")) absl::ConsumeSuffix(&number, "b");
  const int shift = number.empty() ? 0 : ShiftOf(number.back());
  if (shift > 0) number.remove_suffix(1);
  int64_t value = 0;
  if (!absl::SimpleAtoi(number, &value) || value < 0 || value > (kBytesMax >> shift)) {
    *error = "no size";
    return false;
  }
  flag->value = value << shift;
  return true;
}

std::string AbslUnparseFlag(const ByteSizeFlag& flag) {
  for (const auto& [shift, unit] : {std::pair{30, "G"}, {20, "M"}, {10, "K"}}) {
    if (flag.value > 0 && flag.value % (int64_t{1} << shift) == 0) {
      return absl::StrCat(flag.value >> shift, unit);
    }
  }
  return absl::StrCat(flag.value);
}

}  // namespace uc::tools
