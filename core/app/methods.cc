#include "core/app/methods.h"

namespace uc::app {

void SendMethodNotAllowed(Exchange& exchange) {
  static constexpr Header kAllow[] = {{"Allow", "GET, HEAD"}};
  exchange.Send({.status = 405, .headers = kAllow, .body = "405 Method Not Allowed\n"});
}

}  // namespace uc::app
