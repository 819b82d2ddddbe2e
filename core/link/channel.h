// Channel: one end of a link; sends and receives whole messages with descriptors, never blocks.
#ifndef CORE_LINK_CHANNEL_H_
#define CORE_LINK_CHANNEL_H_

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/link/message.h"

namespace uc::link {

struct Received {
  Message message;
  std::vector<Fd> descriptors;
};

class Channel {
 public:
  explicit Channel(Fd fd) : fd_(std::move(fd)) {}
  // Two connected ends, AF_UNIX SOCK_SEQPACKET, non-blocking, close-on-exec.
  static absl::StatusOr<std::pair<Channel, Channel>> Pair();

  int fd() const { return fd_.get(); }

  // Unavailable: the other end is gone. ResourceExhausted: its queue is full (it does not read).
  absl::Status Send(const Message& message, absl::Span<const int> descriptors = {});

  // nullopt: nothing there now. Unavailable: the other end is gone. InvalidArgument: one message was
  // malformed and has been dropped, its descriptors closed; the channel goes on.
  absl::StatusOr<std::optional<Received>> Receive();

 private:
  Fd fd_;
};

}  // namespace uc::link

#endif  // CORE_LINK_CHANNEL_H_
