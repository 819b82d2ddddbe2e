// Fault: which answer a refused message deserves, and why.
#ifndef CORE_HTTP_FAULT_H_
#define CORE_HTTP_FAULT_H_

#include "absl/strings/string_view.h"

namespace uc::http {

struct Fault {
  int status = 0;            // 0: nothing is wrong
  absl::string_view reason;  // a static text for the log

  explicit operator bool() const { return status != 0; }
};

}  // namespace uc::http

#endif  // CORE_HTTP_FAULT_H_
