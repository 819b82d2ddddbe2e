// Date formats as PM2's users write them (moment's letters) for absl::FormatTime. PURE.
#ifndef TOOLS_LOGS_DATE_FORMAT_H_
#define TOOLS_LOGS_DATE_FORMAT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

// "YYYY-MM-DD HH:mm:ss.SSS Z" becomes "%Y-%m-%d %H:%M:%E3S %Ez". Known: YYYY YY MM DD HH hh mm ss SSS A Z; what is in
// [brackets], and any other character, stands for itself.
std::string ToAbslFormat(absl::string_view format);

}  // namespace uc::tools

#endif  // TOOLS_LOGS_DATE_FORMAT_H_
