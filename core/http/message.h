// The words of HTTP/1.1: methods, statuses, fields and the head of a request. Bytes only, pure.
#ifndef CORE_HTTP_MESSAGE_H_
#define CORE_HTTP_MESSAGE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace uc::http {

struct Field {
  absl::string_view name;   // as sent
  absl::string_view value;  // without surrounding white space
};

// Views into the parser's input or its own buffer; see RequestParser for how long they hold.
struct RequestHead {
  absl::string_view method;  // "GET"
  absl::string_view target;  // as sent: "/a/b?c=d", "*", "http://host/path"
  int minor_version = 1;     // HTTP/1.<minor>
  absl::Span<const Field> fields;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;         // what the client allows
  bool expects_continue = false;  // Expect: 100-continue

  // The first field of that name (ASCII case-insensitive); empty view with null data if there is none.
  absl::string_view field(absl::string_view name) const;
};

// "OK" for 200; "" for unknown codes.
absl::string_view ReasonPhrase(int status);

}  // namespace uc::http

#endif  // CORE_HTTP_MESSAGE_H_
