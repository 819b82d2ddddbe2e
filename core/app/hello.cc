#include "core/app/hello.h"

#include "core/app/methods.h"

namespace uc::app {

[[gnu::hot]] void Hello::Handle(Exchange& exchange) {
  if (!IsGetOrHead(exchange.request().method)) {
    SendMethodNotAllowed(exchange);
    return;
  }
  exchange.Send({.content_type = "text/plain", .body = "Hello from uring-cluster\n"});
}

}  // namespace uc::app
