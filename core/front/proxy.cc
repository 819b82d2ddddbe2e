#include "core/front/proxy.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/front/endpoint.h"
#include "core/front/front.h"
#include "core/worker/worker.h"

namespace uc::front {
namespace {

absl::StatusOr<Endpoint> ServerOf(absl::Span<const std::string> arguments) {
  if (arguments.empty() || arguments.front().empty()) {
    return absl::InvalidArgumentError(
        "proxy wants the server to pass requests to: proxy 127.0.0.1:3000, or proxy unix:/path");
  }
  if (arguments.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("proxy takes one server, but got '", arguments[1], "' as well"));
  }
  return Endpoint::Parse(arguments.front());
}

}  // namespace

bool IsProxy(const std::string& app) { return app == "proxy"; }

absl::Status CheckProxy(absl::Span<const std::string> arguments) {
  return ServerOf(arguments).status();
}

int RunProxy(const worker::WorkerOptions& options, link::Channel channel) {
  return worker::RunWorkerWithApp(
      options, std::move(channel), [&options]() -> absl::StatusOr<worker::MadeApp> {
        absl::StatusOr<Endpoint> server = ServerOf(options.app_arguments);
        if (!server.ok()) return server.status();
        FrontOptions front;
        front.server = *std::move(server);
        front.in_flight_max = options.in_flight_max;
        front.protocol = options.client_protocol;
        front.trusted_proxies = options.trusted_proxies;
        return std::make_unique<Front>(front);
      });
}

}  // namespace uc::front
