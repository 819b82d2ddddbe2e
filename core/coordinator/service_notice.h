// NotifyService: tells a service manager (systemd's Type=notify) where the cluster stands.
#ifndef CORE_COORDINATOR_SERVICE_NOTICE_H_
#define CORE_COORDINATOR_SERVICE_NOTICE_H_

#include "absl/strings/string_view.h"

namespace uc::coordinator {

// Sends `state` ("READY=1", "STOPPING=1") as one datagram to $NOTIFY_SOCKET (sd_notify(3)): a path, or
// an abstract name behind '@'. Nothing happens without one; failures are the manager's affair.
void NotifyService(absl::string_view state);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_SERVICE_NOTICE_H_
