// CoordinatorLink: the launcher's link to its coordinator, and the door where one that comes later asks for a new one.
// The newest is the one to obey.
//
// It knows whether there is a coordinator, and how to greet one; what the coordinator says is for the Launcher.
#ifndef CORE_EXEC_COORDINATOR_LINK_H_
#define CORE_EXEC_COORDINATOR_LINK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/link/message.h"
#include "core/net/address.h"

namespace uc::exec {

class CoordinatorLink {
 public:
  // What a new coordinator is told. Descriptors are borrowed.
  struct Greeting {
    link::Hello hello;
    std::vector<int> descriptors;  // as link::Hello wants them
    // ListenDoor's: of the other slots whose listeners were adopted.
    const std::multimap<uint32_t, std::pair<net::Address, Fd>>& adopted;
  };

  CoordinatorLink(link::Channel channel, Fd door)
      : channel_(std::move(channel)), door_(std::move(door)) {}

  // False: it is gone.
  bool linked() const { return linked_; }
  // -1: there is nobody to be heard.
  int fd() const { return linked_ ? channel_.fd() : -1; }
  int door_fd() const { return door_.get(); }

  absl::Status Send(const link::Message& message, absl::Span<const int> descriptors = {}) {
    return channel_.Send(message, descriptors);
  }
  // As link::Channel does. Neither a message nor InvalidArgument: the coordinator is gone, and not linked any more.
  absl::StatusOr<std::optional<link::Received>> Receive();
  // When door_fd() is readable: whoever has knocked is the coordinator from now on, and is greeted.
  void AnswerDoor(absl::FunctionRef<Greeting()> greeting);

 private:
  absl::Status Greet(const Greeting& greeting);

  link::Channel channel_;
  const Fd door_;
  bool linked_ = true;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_COORDINATOR_LINK_H_
