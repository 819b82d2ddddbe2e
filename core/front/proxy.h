// Proxy: the built-in app "proxy ADDR": a front before a server that somebody else runs.
#ifndef CORE_FRONT_PROXY_H_
#define CORE_FRONT_PROXY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/link/channel.h"
#include "core/worker/worker_options.h"

namespace uc::front {

bool IsProxy(const std::string& app);

// InvalidArgument in one line: there is not one address, or it is none.
absl::Status CheckProxy(absl::Span<const std::string> arguments);

// As worker::RunWorker.
int RunProxy(const worker::WorkerOptions& options, link::Channel channel);

}  // namespace uc::front

#endif  // CORE_FRONT_PROXY_H_
