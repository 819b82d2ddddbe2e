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

inline bool HasBody(const RequestHead& head) {
  return head.chunked || head.content_length.value_or(0) > 0;
}

// The head of a response that was received; see ResponseParser for how long its views hold.
struct ResponseMessage {
  // How the message goes on behind its head (RFC 9112 section 6.3).
  enum class Body {
    kNone,        // HEAD, 204, 304: nothing, whatever the fields say
    kInterim,     // 1xx: another head of the same answer follows
    kTunnel,      // 101, or 2xx to CONNECT: what follows is not HTTP
    kLength,      // content_length bytes
    kChunked,     //
    kUntilClose,  // until the server ends the connection
  };
  int status = 0;            // 100 to 999
  int minor_version = 1;     // HTTP/1.<minor>; what claims a later one counts as 1
  absl::string_view reason;  // as sent; may be empty
  absl::Span<const Field> fields;
  std::optional<uint64_t> content_length;  // also where no body follows (HEAD, 304)
  bool chunked = false;                    // a Transfer-Encoding field says so
  bool keep_alive = true;                  // what the server allows
  Body body = Body::kNone;
};

// "OK" for 200; "" for unknown codes.
absl::string_view ReasonPhrase(int status);

}  // namespace uc::http

#endif  // CORE_HTTP_MESSAGE_H_
