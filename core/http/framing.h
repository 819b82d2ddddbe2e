// What the fields of a message say about where its body ends and what becomes of the connection.
//
// Everything on which two servers might disagree is refused (RFC 9112 section 6.3 and 11.2), even where
// a lenient reading exists: a request is never repaired.
#ifndef CORE_HTTP_FRAMING_H_
#define CORE_HTTP_FRAMING_H_

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/message.h"

namespace uc::http {

// The request that a response answers, as far as its framing depends on it.
enum class Answers { kHead, kConnect, kOther };

// Reads head->fields and head->minor_version, sets the four members behind `fields`.
Fault ReadFraming(RequestHead* head);
// The same of a response, in its `fields` and `minor_version`: content_length, chunked, keep_alive. All faults are 502.
Fault ReadFraming(ResponseMessage* head);
// How a response that ReadFraming has read goes on behind its head.
ResponseMessage::Body BodyOf(const ResponseMessage& head, Answers request);
// The fields that it reads: another value of such a one may mean another body, or another end.
bool BearsOnFraming(absl::string_view name);

}  // namespace uc::http

#endif  // CORE_HTTP_FRAMING_H_
