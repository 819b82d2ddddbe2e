// The character classes of RFC 9110 section 5.6, as tables.
#ifndef CORE_HTTP_SYNTAX_H_
#define CORE_HTTP_SYNTAX_H_

#include <array>
#include <cstddef>

#include "absl/strings/string_view.h"

namespace uc::http {

using CharClass = std::array<bool, 256>;

inline constexpr absl::string_view kAlphanumeric =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

constexpr CharClass CharsOf(absl::string_view chars, absl::string_view marks) {
  CharClass members{};
  for (char c : chars) members[static_cast<unsigned char>(c)] = true;
  for (char c : marks) members[static_cast<unsigned char>(c)] = true;
  return members;
}

inline constexpr CharClass kTokenChars = CharsOf(kAlphanumeric, "!#$%&'*+-.^_`|~");

inline bool IsIn(const CharClass& members, char c) {
  return members[static_cast<unsigned char>(c)];
}

inline bool AllIn(const CharClass& members, absl::string_view text) {
  for (char c : text) {
    if (!IsIn(members, c)) return false;
  }
  return true;
}

inline bool IsToken(absl::string_view text) { return !text.empty() && AllIn(kTokenChars, text); }

// ASCII case-insensitive, inlined for a short `word` in lower case: absl::EqualsIgnoreCase is a call.
template <size_t kSize>
inline bool IsWord(absl::string_view text, const char (&word)[kSize]) {
  if (text.size() != kSize - 1) return false;
  for (size_t i = 0; i + 1 < kSize; ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != word[i]) return false;
  }
  return true;
}

// DEL and what is below the space; HTAB is one of them.
inline bool IsControl(char c) {
  const unsigned char byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// Optional white space is SP and HTAB, nothing else.
inline bool IsWhite(char c) { return c == ' ' || c == '\t'; }

inline absl::string_view StripWhitespace(absl::string_view text) {
  while (!text.empty() && IsWhite(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsWhite(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace uc::http

#endif  // CORE_HTTP_SYNTAX_H_
