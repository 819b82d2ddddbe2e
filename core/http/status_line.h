// Status lines as they go on the wire, made before they are needed.
#ifndef CORE_HTTP_STATUS_LINE_H_
#define CORE_HTTP_STATUS_LINE_H_

#include "absl/strings/string_view.h"

namespace uc::http {

// "HTTP/1.1 200 OK\r\n"; "" for codes without a reason phrase of ours.
absl::string_view StatusLine(int status);

}  // namespace uc::http

#endif  // CORE_HTTP_STATUS_LINE_H_
