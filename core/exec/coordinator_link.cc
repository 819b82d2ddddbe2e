#include "core/exec/coordinator_link.h"

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace uc::exec {

absl::StatusOr<std::optional<link::Received>> CoordinatorLink::Receive() {
  absl::StatusOr<std::optional<link::Received>> received = channel_.Receive();
  if (!received.ok() && !absl::IsInvalidArgument(received.status())) linked_ = false;
  return received;
}

void CoordinatorLink::AnswerDoor(absl::FunctionRef<Greeting()> greeting) {
  while (std::optional<Fd> visitor = link::AnswerDoor(door_)) {
    channel_.Replace(*std::move(visitor));
    linked_ = true;
    if (absl::Status status = Greet(greeting()); !status.ok()) {
      LogWarning(absl::StrCat("a new coordinator left at once: ", status.message()));
    }
  }
}

absl::Status CoordinatorLink::Greet(const Greeting& greeting) {
  absl::Status status = channel_.Send(greeting.hello, greeting.descriptors);
  const auto& adopted = greeting.adopted;
  for (auto one = adopted.begin(); one != adopted.end() && status.ok();) {
    std::vector<int> held;
    const auto end = adopted.upper_bound(one->first);
    const uint32_t slot = one->first;
    for (; one != end; ++one) held.push_back(one->second.second.get());
    status = channel_.Send(link::Holds{slot}, held);
  }
  if (status.ok()) status = channel_.Send(link::HelloEnd{});
  return status;
}

}  // namespace uc::exec
