// Endpoint: where the server behind a front listens: a UNIX socket or a TCP address of this machine.
#ifndef CORE_FRONT_ENDPOINT_H_
#define CORE_FRONT_ENDPOINT_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/net/address.h"

namespace uc::front {

class Endpoint {
 public:
  // "unix:/run/app.sock" or "127.0.0.1:3000". InvalidArgument in one line.
  static absl::StatusOr<Endpoint> Parse(absl::string_view text);
  // A UNIX socket that has a descriptor (O_PATH) and no name any more: connect(2) follows /proc/self/fd to the inode.
  // The descriptor is borrowed.
  static Endpoint OfDescriptor(int path_descriptor);

  // A socket that is connected or (TCP) about to be; never waits. Unavailable: nobody listens there, or its backlog is
  // full (EAGAIN of a UNIX socket). ResourceExhausted: no descriptors.
  absl::StatusOr<Fd> Connect() const;
  const std::string& text() const { return text_; }

 private:
  sockaddr_storage address_ = {};
  socklen_t size_ = 0;
  std::string text_;
};

}  // namespace uc::front

#endif  // CORE_FRONT_ENDPOINT_H_
