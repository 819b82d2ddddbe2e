// The fields of a complete head (RFC 9112 section 5): names and values, as views. Pure.
//
// HeadScan has found the lines and refused all control bytes; what is left to say is where each name ends,
// and that it is a token. Refused: llhttp for this. It is as strict in other words, and took two thirds of
// the time of a head; now it is the oracle of tests/fuzz, which refuses nothing that we accept.
#ifndef CORE_HTTP_READ_FIELDS_H_
#define CORE_HTTP_READ_FIELDS_H_

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/message.h"

namespace uc::http {

// `lines` is what HeadScan found behind the request line's CRLF, up to and with the empty line. On success
// `fields` has views into it; after a fault it is of no use.
Fault ReadFields(absl::string_view lines, size_t fields_max, std::vector<Field>* fields);

}  // namespace uc::http

#endif  // CORE_HTTP_READ_FIELDS_H_
