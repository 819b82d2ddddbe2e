#include "tools/logs/date_format.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace uc::tools {
namespace {

// Longer ones first. absl writes fractions of a second only together with the seconds.
constexpr std::pair<absl::string_view, absl::string_view> kTokens[] = {
    {"YYYY", "%Y"}, {"ss.SSS", "%E3S"}, {"YY", "%y"}, {"MM", "%m"}, {"DD", "%d"}, {"HH", "%H"},
    {"hh", "%I"},   {"mm", "%M"},       {"ss", "%S"}, {"A", "%p"},  {"Z", "%Ez"},
};

}  // namespace

std::string ToAbslFormat(absl::string_view format) {
  std::string result;
  while (!format.empty()) {
    if (format[0] == '[') {
      const size_t end = format.find(']');
      if (end != absl::string_view::npos) {
        absl::StrAppend(&result, format.substr(1, end - 1));
        format.remove_prefix(end + 1);
        continue;
      }
    }
    bool known = false;
    for (const auto& [token, replacement] : kTokens) {
      if (!absl::ConsumePrefix(&format, token)) continue;
      absl::StrAppend(&result, replacement);
      known = true;
      break;
    }
    if (known) continue;
    absl::StrAppend(&result, format[0] == '%' ? "%%" : format.substr(0, 1));
    format.remove_prefix(1);
  }
  return result;
}

}  // namespace uc::tools
