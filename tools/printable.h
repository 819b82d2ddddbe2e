// Printable: text of other processes and files, made harmless for a terminal. A scoreboard, a record, an answer or a file
// name may hold anything; escape sequences in it would move the cursor, change titles, or hide lines.
// PURE.
#ifndef TOOLS_PRINTABLE_H_
#define TOOLS_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

// Control characters (C0, DEL, and C1 in UTF-8) become spaces; bytes that are no UTF-8 become '?'. The rest stays.
std::string Printable(absl::string_view text);

// Well-formed (RFC 3629: no overlong forms, no surrogates).
bool IsUtf8(absl::string_view text);

}  // namespace uc::tools

#endif  // TOOLS_PRINTABLE_H_
