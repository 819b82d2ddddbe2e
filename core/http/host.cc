#include "core/http/host.h"

#include "core/http/syntax.h"

namespace uc::http {
namespace {

// Not the comma, which RFC 3986 has: it is what a proxy makes of two Hosts. Not user info: there "a@b" would be two
// names.
constexpr CharClass kHostChars = CharsOf(kAlphanumeric, "-._~%!$&'()*+;=");
constexpr CharClass kLiteralChars = CharsOf(kAlphanumeric, "-._~!$&'()*+;=:");
constexpr CharClass kDigits = CharsOf("0123456789", "");

}  // namespace

bool IsHost(absl::string_view host) {
  absl::string_view port;
  if (!host.empty() && host.front() == '[') {
    const size_t close = host.find(']');
    if (close == absl::string_view::npos || close == 1) return false;
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
    if (!AllIn(kLiteralChars, host)) return false;
  } else {
    const size_t colon = host.find(':');
    if (colon != absl::string_view::npos) {
      port = host.substr(colon);
      host = host.substr(0, colon);
      if (host.empty()) return false;
    }
    if (!AllIn(kHostChars, host)) return false;
  }
  return port.empty() || (port.front() == ':' && AllIn(kDigits, port.substr(1)));
}

bool IsHostAndPort(absl::string_view host) {
  return IsHost(host) && !host.empty() && IsIn(kDigits, host.back()) &&
         host.find(':', host.find(']') + 1) != absl::string_view::npos;
}

}  // namespace uc::http
