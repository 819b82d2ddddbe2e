#include "core/link/first_word.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <optional>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "core/base/check.h"

namespace uc::link {
namespace {

constexpr int kAssignTimeoutMs = 10'000;

}  // namespace

absl::StatusOr<Received> AwaitAssign(Channel& channel) {
  pollfd watch = {channel.fd(), POLLIN, 0};
  if (poll(&watch, 1, kAssignTimeoutMs) != 1) {
    return absl::DeadlineExceededError("no word from the coordinator");
  }
  absl::StatusOr<std::optional<Received>> received = channel.Receive();
  if (!received.ok()) return received.status();
  const auto* assign = received->has_value() ? std::get_if<Assign>(&(*received)->message) : nullptr;
  if (assign == nullptr ||
      (*received)->descriptors.size() < kAssignDescriptors + assign->steering) {
    return absl::FailedPreconditionError("the coordinator's first word is no assignment");
  }
  // The door first, then the look: whoever goes on from here can be found by it.
  KeepDoor((*received)->descriptors[kDoorDescriptor]);
  pollfd open = {channel.fd(), 0, 0};
  if (poll(&open, 1, 0) == 1 && (open.revents & POLLHUP) != 0) {
    return absl::UnavailableError("the coordinator is gone");
  }
  return std::move(**received);
}

Fd TakeSignals() {
  for (const int ignored : {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGTTIN, SIGTTOU}) {
    signal(ignored, SIG_IGN);
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  UC_CHECK(sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  return Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

}  // namespace uc::link
