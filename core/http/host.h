// The host of a request, as a Host field or an authority names it (RFC 9110 7.2, RFC 3986 3.2.2). Pure.
#ifndef CORE_HTTP_HOST_H_
#define CORE_HTTP_HOST_H_

#include "absl/strings/string_view.h"

namespace uc::http {

// "a", "a:80", "a:", "[::1]:80", and an empty one, which is right for a target without authority.
bool IsHost(absl::string_view host);

// One with a port, as CONNECT wants it: "a:443", "[::1]:443".
bool IsHostAndPort(absl::string_view host);

}  // namespace uc::http

#endif  // CORE_HTTP_HOST_H_
