// Mime: the media type of a file, by the extension of its name. PURE.
//
// A fixed table: what is served must not change with the machine's /etc/mime.types. Refused: looking at
// the contents; browsers are told not to guess either (X-Content-Type-Options: nosniff).
#ifndef CORE_APP_MIME_H_
#define CORE_APP_MIME_H_

#include <string_view>

namespace uc::app {

inline constexpr std::string_view kUnknownMediaType = "application/octet-stream";

// `path` is a name or a path; case does not matter. Text types come with charset=utf-8. A static text.
std::string_view MediaTypeOf(std::string_view path);

}  // namespace uc::app

#endif  // CORE_APP_MIME_H_
