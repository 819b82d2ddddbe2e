#include "core/http/first_bytes.h"

#include <algorithm>

#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr absl::string_view kHandshake = "\x16\x03";  // content type 22, major version 3

bool BeginLike(absl::string_view bytes, absl::string_view pattern) {
  const size_t size = std::min(bytes.size(), pattern.size());
  return bytes.substr(0, size) == pattern.substr(0, size);
}

// What readers of a request line skip before it, or take for the space in it, besides the space: some of them whatever
// is white space in a Latin-1 text (Python's str.split, which http.server reads a request line with).
bool IsSkippedBySome(char c) {
  const unsigned char byte = static_cast<unsigned char>(c);
  return (byte >= 0x09 && byte <= 0x0d) || (byte >= 0x1c && byte <= 0x20) || byte == 0x85 ||
         byte == 0xa0;
}

}  // namespace

FirstBytes Classify(absl::string_view bytes) {
  if (bytes.empty()) return FirstBytes::kUndecided;
  if (BeginLike(bytes, kPreface)) {
    return bytes.size() >= kPreface.size() ? FirstBytes::kHttp2 : FirstBytes::kUndecided;
  }
  if (BeginLike(bytes, kHandshake)) {
    return bytes.size() >= kHandshake.size() ? FirstBytes::kTls : FirstBytes::kUndecided;
  }
  if (IsSkippedBySome(bytes.front())) return FirstBytes::kHttp1;
  const absl::string_view begin = bytes.substr(0, kFirstBytesMax);
  const auto* const end =
      std::find_if(begin.begin(), begin.end(), [](char c) { return !IsIn(kTokenChars, c); });
  if (end == begin.end()) {
    return begin.size() > kMethodBytesMax ? FirstBytes::kHttp1 : FirstBytes::kUndecided;
  }
  // A line that ends behind its first word is no request of any version: "PING" of Redis, "QUIT" of SMTP.
  if (*end == '\r' || *end == '\n') return FirstBytes::kOther;
  return end != begin.begin() && IsSkippedBySome(*end) ? FirstBytes::kHttp1 : FirstBytes::kOther;
}

}  // namespace uc::http
