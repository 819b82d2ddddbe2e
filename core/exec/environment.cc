#include "core/exec/environment.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/exec/preload/protocol.h"

namespace uc::exec {

std::vector<std::string> EnvironmentOf(const ProgramPlace& place) {
  const std::string slot = absl::StrCat(place.slot);
  std::vector<std::string> environment = {
      absl::StrCat("URING_CLUSTER_NAME=", place.cluster),
      absl::StrCat("URING_CLUSTER_SLOT=", slot),
      absl::StrCat("URING_CLUSTER_GENERATION=", place.generation),
      absl::StrCat("NODE_APP_INSTANCE=", slot),
      absl::StrCat("INSTANCE_ID=", slot),
      absl::StrCat("pm_id=", slot),
      absl::StrCat("NOTIFY_SOCKET=", place.notify_socket),
  };
  if (place.preload.has_value()) {
    const char* const present = getenv("LD_PRELOAD");
    environment.push_back(absl::StrCat("LD_PRELOAD=", place.preload->library,
                                       present != nullptr && *present != '\0' ? ":" : "",
                                       present != nullptr ? present : ""));
    environment.push_back(absl::StrCat(kDoorVariable, "=", place.preload->door));
    // libuv (1.45 on) can register with epoll through a ring, past every library.
    if (getenv("UV_USE_IO_URING") == nullptr) environment.emplace_back("UV_USE_IO_URING=0");
  }
  if (place.port.has_value()) environment.push_back(absl::StrCat("PORT=", *place.port));
  environment.insert(environment.end(), place.environment.begin(), place.environment.end());
  return environment;
}

}  // namespace uc::exec
