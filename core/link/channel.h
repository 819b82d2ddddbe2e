// Channel: one end of a link; sends and receives whole messages with descriptors, never blocks.
#ifndef CORE_LINK_CHANNEL_H_
#define CORE_LINK_CHANNEL_H_

#include <sys/types.h>

#include <optional>
#include <string>
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

// A listening UNIX socket in the run directory, made by the coordinator, kept by the worker: whoever comes
// after a dead coordinator finds the workers there. `path` may be longer than sun_path.
absl::StatusOr<Fd> MakeDoor(const std::string& path);
// The same where no file can be made: nobody who comes later finds it.
absl::StatusOr<Fd> MakeHiddenDoor();
// By the worker: from now on Channel::keeper() is this process.
void KeepDoor(const Fd& door);
// Somebody keeps the door at `path`: without knocking, so that nobody is disturbed. Also true where that cannot be
// found out for want of descriptors or memory: who may be alive is not forgotten.
bool DoorIsKept(const std::string& path);
// The one who knocked, if there is one, and if it is of our user or root.
std::optional<Fd> AnswerDoor(const Fd& door);

class Channel {
 public:
  explicit Channel(Fd fd) : fd_(std::move(fd)) {}
  // Two connected ends, AF_UNIX SOCK_SEQPACKET, non-blocking, close-on-exec.
  static absl::StatusOr<std::pair<Channel, Channel>> Pair();

  // Asks at the door at `path` for a new link to the worker behind it. NotFound: nobody is there (any more).
  static absl::StatusOr<Channel> Knock(const std::string& path);

  // Who called listen() at the door where this channel knocked: the worker, once it has called KeepDoor(). 0: not known.
  pid_t keeper() const;
  // Of the keeper, exactly, even when the number belongs to somebody else by now: Linux 6.5. Invalid: an older kernel,
  // or it is gone.
  Fd KeeperPidfd() const;
  // Of a channel that has knocked: who sent the last packet, be it malformed, by the kernel's word. 0: nothing came.
  pid_t sender() const { return sender_; }

  int fd() const { return fd_.get(); }
  // The same channel over another descriptor; gives the former one back.
  Fd Replace(Fd fd) { return std::exchange(fd_, std::move(fd)); }

  // Unavailable: the other end is gone. ResourceExhausted: its queue is full (it does not read).
  absl::Status Send(const Message& message, absl::Span<const int> descriptors = {});

  // nullopt: nothing there now. Unavailable: the other end is gone. InvalidArgument: one message was
  // malformed and has been dropped, its descriptors closed; the channel goes on.
  absl::StatusOr<std::optional<Received>> Receive();

 private:
  Fd fd_;
  pid_t sender_ = 0;
};

}  // namespace uc::link

#endif  // CORE_LINK_CHANNEL_H_
