// What the fields of a request say about where its body ends and what becomes of the connection.
//
// Everything on which two servers might disagree is refused (RFC 9112 section 6.3 and 11.2), even where
// a lenient reading exists: a request is never repaired.
#ifndef CORE_HTTP_FRAMING_H_
#define CORE_HTTP_FRAMING_H_

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/message.h"

namespace uc::http {

// Reads head->fields and head->minor_version, sets the four members behind `fields`.
Fault ReadFraming(RequestHead* head);
// The fields that it reads: another value of such a one may mean another body, or another end.
bool BearsOnFraming(absl::string_view name);

}  // namespace uc::http

#endif  // CORE_HTTP_FRAMING_H_
