// The request line (RFC 9112 section 3): method SP target SP version, with exactly these two spaces.
//
// Read as soon as it is there, before the rest of the head: who speaks something else is told so at
// once.
#ifndef CORE_HTTP_REQUEST_LINE_H_
#define CORE_HTTP_REQUEST_LINE_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/parser.h"

namespace uc::http {

// Sizes, not views: they hold wherever the bytes of the head are moved to.
struct RequestLine {
  size_t method_bytes = 0;
  size_t target_bytes = 0;
  int minor_version = 1;

  absl::string_view method(absl::string_view head) const { return head.substr(0, method_bytes); }
  absl::string_view target(absl::string_view head) const {
    return head.substr(method_bytes + 1, target_bytes);
  }
};

// `line` is without its CRLF.
Fault ReadRequestLine(absl::string_view line, size_t target_bytes_max, RequestLine* result,
                      Connect connect = Connect::kRefused);

// What is wrong with a head whose request line alone is as long as a head may be.
Fault JudgeEndlessLine(absl::string_view begin, size_t target_bytes_max);

}  // namespace uc::http

#endif  // CORE_HTTP_REQUEST_LINE_H_
