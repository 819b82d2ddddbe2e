#include "core/http/request_line.h"

#include <algorithm>

#include "core/http/host.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr Fault kTargetTooLong = {.status = 414, .reason = "target too long"};
constexpr Fault kMalformed = {.status = 400, .reason = "malformed request line"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A later minor version is read as the highest that is known here, HTTP/1.1 (RFC 9110 2.5).
[[gnu::hot]] Fault ReadVersion(absl::string_view version, int* minor) {
  if (version == "HTTP/1.1") {
    *minor = 1;
    return Fault();
  }
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !IsDigit(version[5]) ||
      version[6] != '.' || !IsDigit(version[7])) {
    return Fault{.status = 400, .reason = "malformed HTTP version"};
  }
  if (version[5] != '1') return Fault{.status = 505, .reason = "major version other than 1"};
  *minor = version[7] == '0' ? 0 : 1;
  return Fault();
}

constexpr CharClass WithBytesBeyondAscii(CharClass members) {
  for (size_t byte = 0x80; byte < members.size(); ++byte) members[byte] = true;
  return members;
}

// What a target may be made of: RFC 3986, what browsers send besides ("[", "|" and the like), and raw UTF-8,
// which curl sends as it was typed. No control byte, no white space, no fragment.
constexpr CharClass kTargetChars =
    WithBytesBeyondAscii(CharsOf(kAlphanumeric, "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~"));
constexpr CharClass kAuthorityChars = CharsOf(kAlphanumeric, "-_.!~*'()%;:&=+$,[]@");
constexpr CharClass kAlpha = CharsOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "");

// "http://host/path": a scheme of letters (RFC 3986 has more, HTTP uses none of them), a host, which is never empty
// (RFC 9110 4.2.1), and perhaps a name before it, which is nobody's here.
bool IsAbsolute(absl::string_view target) {
  size_t at = 0;
  while (at < target.size() && IsIn(kAlpha, target[at])) ++at;
  if (at == 0 || target.substr(at, 3) != "://") return false;
  target.remove_prefix(at + 3);
  absl::string_view host = target.substr(0, target.find_first_of("/?"));
  if (!AllIn(kAuthorityChars, host)) return false;
  if (const size_t name = host.find('@'); name != absl::string_view::npos) {
    host.remove_prefix(name + 1);  // "a@b@c" would be read in two ways: no host has a second one
  }
  return !host.empty() && IsHost(host);
}

// Of the four forms (RFC 9112 3.2) the authority form is CONNECT's alone, the asterisk OPTIONS's.
[[gnu::hot]] Fault JudgeTarget(absl::string_view method, absl::string_view target) {
  if (AllIn(kTargetChars, target)) {
    if (method == "CONNECT") [[unlikely]] {
      if (IsHostAndPort(target)) return Fault();
      return Fault{.status = 400, .reason = "no host and port for a target"};
    }
    if (target.front() == '/') return Fault();
    if (target.front() == '*') {
      if (target.size() == 1 && method == "OPTIONS") return Fault();
      return Fault{.status = 400, .reason = "asterisk for a target"};
    }
    if (IsAbsolute(target)) return Fault();
    return Fault{.status = 400, .reason = "neither path nor URL for a target"};
  }
  if (target.find(' ') != absl::string_view::npos) return kMalformed;
  // A fragment never leaves the client (RFC 9110 4.2.5): some servers cut it off, some serve it.
  if (target.find('#') != absl::string_view::npos) {
    return Fault{.status = 400, .reason = "fragment in the target"};
  }
  return Fault{.status = 400, .reason = "forbidden byte in the target"};
}

// The registered ones that others know too (llhttp, which is Node's): a request with another method would
// have a meaning here and none on the way. CONNECT is not among them: it is for who passes it on (Connect).
[[gnu::hot]] bool IsKnownMethod(absl::string_view method) {
  static constexpr absl::string_view kMethods[] = {
      "HEAD",       "POST",  "PUT",      "DELETE", "OPTIONS",   "PATCH",       "TRACE",
      "COPY",       "LOCK",  "MKCOL",    "MOVE",   "PROPFIND",  "PROPPATCH",   "SEARCH",
      "UNLOCK",     "BIND",  "REBIND",   "UNBIND", "ACL",       "REPORT",      "MKACTIVITY",
      "CHECKOUT",   "MERGE", "M-SEARCH", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",
      "MKCALENDAR", "LINK",  "UNLINK",   "SOURCE"};
  if (method == "GET") return true;
  for (const absl::string_view known : kMethods) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

[[gnu::hot]] Fault ReadRequestLine(absl::string_view line, size_t target_bytes_max,
                                   RequestLine* result, Connect connect) {
  const size_t first = line.find(' ');
  if (first == absl::string_view::npos || !IsToken(line.substr(0, first))) return kMalformed;
  const size_t last = line.rfind(' ');
  // No version: HTTP/0.9, or its target is what fills the line.
  if (last == first) {
    return line.size() - first - 1 > target_bytes_max ? kTargetTooLong : kMalformed;
  }
  const absl::string_view method = line.substr(0, first);
  const absl::string_view target = line.substr(first + 1, last - first - 1);
  if (target.size() > target_bytes_max) return kTargetTooLong;
  result->method_bytes = method.size();
  result->target_bytes = target.size();
  if (const Fault fault = ReadVersion(line.substr(last + 1), &result->minor_version)) return fault;
  if (!IsKnownMethod(method) && (connect == Connect::kRefused || method != "CONNECT"))
    return Fault{.status = 501, .reason = "unknown method"};
  if (target.empty()) return kMalformed;
  return JudgeTarget(method, target);
}

Fault JudgeEndlessLine(absl::string_view begin, size_t target_bytes_max) {
  const size_t first = begin.find(' ');
  if (first == absl::string_view::npos || !IsToken(begin.substr(0, first))) return kMalformed;
  const absl::string_view rest = begin.substr(first + 1);
  const size_t target_bytes = std::min(rest.find(' '), rest.size());
  if (target_bytes > target_bytes_max) return kTargetTooLong;
  return Fault{.status = 431, .reason = "head too large"};
}

}  // namespace uc::http
