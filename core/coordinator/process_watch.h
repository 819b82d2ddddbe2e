// ProcessWatch: which workers have said something or have ended, at a cost that does not grow with their number.
//
// A descriptor is watched from Add() until its owner closes it. Refused: one ppoll over all of them (two descriptors a
// worker, looked at each turn for nothing).
#ifndef CORE_COORDINATOR_PROCESS_WATCH_H_
#define CORE_COORDINATOR_PROCESS_WATCH_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/coordinator/worker_process.h"

namespace uc::coordinator {

class ProcessWatch {
 public:
  enum class Kind { kLink, kExit };
  struct Ready {
    Kind kind = Kind::kLink;
    policy::Generation generation = 0;
  };

  static absl::StatusOr<ProcessWatch> Begin();

  // Its link and its pidfd. Unavailable: the user's limit of watches. What it says is not heard then.
  absl::Status Add(const WorkerProcess& process);
  // Readable when somebody is ready.
  int fd() const { return epoll_.get(); }
  // Does not wait. Whoever finds no place here is told at the next look.
  std::vector<Ready> Look();

 private:
  explicit ProcessWatch(Fd epoll) : epoll_(std::move(epoll)) {}
  absl::Status Add(int fd, Ready what);

  Fd epoll_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_PROCESS_WATCH_H_
