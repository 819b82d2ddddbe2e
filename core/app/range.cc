#include "core/app/range.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace uc::app {
namespace {

constexpr std::string_view kUnit = "bytes=";

// Digits only, at least one. What does not fit becomes the largest number: it is past any file's end.
std::optional<uint64_t> ParsePosition(std::string_view text) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

// Range units are case-insensitive (RFC 9110 14.1).
bool TakeUnit(std::string_view* field) {
  if (field->size() < kUnit.size()) return false;
  for (size_t i = 0; i < kUnit.size(); ++i) {
    const char c = (*field)[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != kUnit[i]) return false;
  }
  field->remove_prefix(kUnit.size());
  return true;
}

}  // namespace

ByteRange ChooseRange(std::string_view field, uint64_t size) {
  if (!TakeUnit(&field)) return {};
  const size_t dash = field.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first_text = field.substr(0, dash);
  const std::string_view last_text = field.substr(dash + 1);
  if (first_text.empty()) {
    const std::optional<uint64_t> suffix = ParsePosition(last_text);
    if (!suffix) return {};
    const uint64_t length = std::min(*suffix, size);
    if (length == 0) return {.kind = ByteRange::Kind::kUnsatisfiable};
    return {.kind = ByteRange::Kind::kPart, .offset = size - length, .length = length};
  }
  const std::optional<uint64_t> first = ParsePosition(first_text);
  const std::optional<uint64_t> last =
      last_text.empty() ? std::numeric_limits<uint64_t>::max() : ParsePosition(last_text);
  // A comma (several ranges) ends up here too: it is no digit.
  if (!first || !last || *last < *first) return {};
  if (*first >= size) return {.kind = ByteRange::Kind::kUnsatisfiable};
  return {.kind = ByteRange::Kind::kPart,
          .offset = *first,
          .length = std::min(*last, size - 1) - *first + 1};
}

}  // namespace uc::app
