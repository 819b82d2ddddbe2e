// Methods: the two that apps of read-only content know, and the answer to all others.
#ifndef CORE_APP_METHODS_H_
#define CORE_APP_METHODS_H_

#include <string_view>

#include "core/app/app.h"

namespace uc::app {

// Methods are case-sensitive (RFC 9110 9.1).
inline bool IsGetOrHead(std::string_view method) { return method == "GET" || method == "HEAD"; }

// 405 with the Allow field that RFC 9110 15.5.6 demands. Also for OPTIONS: nothing here needs it.
void SendMethodNotAllowed(Exchange& exchange);

}  // namespace uc::app

#endif  // CORE_APP_METHODS_H_
