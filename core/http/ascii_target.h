// AsciiTarget: a request target as it may stand in a log line or in a field of a response.
//
// The parser lets raw UTF-8 pass. A terminal can take some of these bytes for control characters (C1), and
// other software expects none of them in a Location, so they are percent-encoded there (RFC 3986 2.1).
#ifndef CORE_HTTP_ASCII_TARGET_H_
#define CORE_HTTP_ASCII_TARGET_H_

#include <string>

#include "absl/strings/string_view.h"

namespace uc::http {

// `target`, each byte from 0x80 on as "%C3". What is encoded already stays as it is.
std::string AsciiTarget(absl::string_view target);

}  // namespace uc::http

#endif  // CORE_HTTP_ASCII_TARGET_H_
