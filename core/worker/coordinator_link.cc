#include "core/worker/coordinator_link.h"

#include <poll.h>

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace uc::worker {
namespace {

constexpr int64_t kUnlinkedPatienceNs = 1'000'000'000;  // an upgrade is back long before

}  // namespace

void CoordinatorLink::Arm() {
  if (linked_) service_.ring.PollMultishot(channel_.fd(), POLLIN, tag());
}

absl::StatusOr<std::optional<link::Received>> CoordinatorLink::Hear() {
  absl::StatusOr<std::optional<link::Received>> received = channel_.Receive();
  if (!received.ok() && !absl::IsInvalidArgument(received.status())) {
    linked_ = false;
    unlinked_since_ns_ = service_.now_ns;
  }
  return received;
}

bool CoordinatorLink::TakeVisitor() {
  std::optional<Fd> visitor = link::AnswerDoor(door_);
  if (!visitor.has_value()) return false;
  service_.ring.Cancel(tag());
  service_.closing.push_back(channel_.Replace(*std::move(visitor)));
  generation_ = (generation_ + 1) & ring::kGenerationMask;
  linked_ = true;
  Arm();
  return true;
}

void CoordinatorLink::Greet(const link::Hello& hello, const Fd& inbox, const Fd& reports,
                            const std::vector<Fd>& steering, const Acceptor& acceptor) {
  std::vector<int> descriptors = {inbox.get(), reports.get()};
  for (const Fd& fd : steering) descriptors.push_back(fd.get());
  for (const int listener : acceptor.listeners(hello.slot)) descriptors.push_back(listener);
  absl::Status status = channel_.Send(hello, descriptors);
  for (const uint32_t slot : acceptor.adopted()) {
    if (status.ok()) status = channel_.Send(link::Holds{slot}, acceptor.listeners(slot));
  }
  if (status.ok()) status = channel_.Send(link::HelloEnd{});
  if (!status.ok()) LogWarning(absl::StrCat("a new coordinator left at once: ", status.message()));
}

void CoordinatorLink::TellIfGone() {
  if (linked_ || service_.now_ns - unlinked_since_ns_ < kUnlinkedPatienceNs) return;
  LogWarning("the coordinator is gone; serving on without it");
  unlinked_since_ns_ = std::numeric_limits<int64_t>::max();  // said once
}

}  // namespace uc::worker
