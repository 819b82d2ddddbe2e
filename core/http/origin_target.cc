#include "core/http/origin_target.h"

namespace uc::http {

OriginTarget ToOriginTarget(absl::string_view method, absl::string_view target) {
  if (method == "CONNECT") return {.host = target, .slash = {}, .rest = target};
  if (target.front() == '/' || target.front() == '*') {
    return {.host = {}, .slash = {}, .rest = target};
  }
  const size_t scheme = target.find("://");
  if (scheme == absl::string_view::npos) return {.host = {}, .slash = {}, .rest = target};
  target.remove_prefix(scheme + 3);
  absl::string_view host = target.substr(0, target.find_first_of("/?"));
  const absl::string_view rest = target.substr(host.size());
  if (const size_t at = host.rfind('@'); at != absl::string_view::npos) host.remove_prefix(at + 1);
  // RFC 9112 3.2.4.
  if (rest.empty() && method == "OPTIONS") return {.host = host, .slash = {}, .rest = "*"};
  const bool missing = rest.empty() || rest.front() == '?';
  return {.host = host, .slash = missing ? "/" : "", .rest = rest};
}

}  // namespace uc::http
