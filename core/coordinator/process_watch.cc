#include "core/coordinator/process_watch.h"

#include <errno.h>
#include <sys/epoll.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace uc::coordinator {
namespace {

constexpr int kReadyMax = 128;  // at one look

}  // namespace

absl::StatusOr<ProcessWatch> ProcessWatch::Begin() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  return ProcessWatch(std::move(epoll));
}

absl::Status ProcessWatch::Add(int fd, Ready what) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = uint64_t{what.generation} << 1 | (what.kind == Kind::kExit ? 1 : 0);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("a worker cannot be watched (epoll_ctl); is ",
                                                 "fs.epoll.max_user_watches used up?"));
}

absl::Status ProcessWatch::Add(const WorkerProcess& process) {
  if (process.channel.has_value()) {
    absl::Status status = Add(process.channel->fd(), {Kind::kLink, process.id.generation});
    if (!status.ok()) return status;
  }
  return Add(process.pidfd.get(), {Kind::kExit, process.id.generation});
}

std::vector<ProcessWatch::Ready> ProcessWatch::Look() {
  epoll_event events[kReadyMax];
  const int count = epoll_wait(epoll_.get(), events, kReadyMax, 0);
  std::vector<Ready> ready;
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events[i].data.u64;
    ready.push_back(
        {(data & 1) != 0 ? Kind::kExit : Kind::kLink, static_cast<policy::Generation>(data >> 1)});
  }
  // READY before death, as it was said.
  std::stable_partition(ready.begin(), ready.end(),
                        [](const Ready& one) { return one.kind == Kind::kLink; });
  return ready;
}

}  // namespace uc::coordinator
