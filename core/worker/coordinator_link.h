// CoordinatorLink: the link to the coordinator that this worker obeys, and the door where a later one knocks. The newest
// is the one to obey; without any the worker serves on.
//
// What is said is the Server's to understand; here is who says it, and whether anybody is there.
#ifndef CORE_WORKER_COORDINATOR_LINK_H_
#define CORE_WORKER_COORDINATOR_LINK_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/ring/ring.h"
#include "core/worker/acceptor.h"
#include "core/worker/service.h"

namespace uc::worker {

class CoordinatorLink {
 public:
  CoordinatorLink(Service& service, link::Channel& channel, Fd door)
      : service_(service), channel_(channel), door_(std::move(door)) {}

  // False: there is no coordinator.
  bool linked() const { return linked_; }
  // Readable when somebody knocks.
  int door() const { return door_.get(); }

  // Polls the link, if there is one.
  void Arm();
  // A completion's; else it is a former link's.
  bool IsCurrent(ring::Tag tag) const { return tag.generation == generation_; }
  // The next word; nullopt: none now. InvalidArgument: one that this worker does not understand. Others: the
  // coordinator has gone.
  absl::StatusOr<std::optional<link::Received>> Hear();
  // Somebody has knocked: the link is to them now, and armed. False: nobody (any more).
  bool TakeVisitor();
  // To a new coordinator: all that the worker holds. `inbox`: its writing end.
  void Greet(const link::Hello& hello, const Fd& inbox, const Fd& reports,
             const std::vector<Fd>& steering, const Acceptor& acceptor);
  // At each tick: says once that nobody has come.
  void TellIfGone();

 private:
  ring::Tag tag() const { return {ring::Op::kLink, generation_, 0}; }

  Service& service_;
  link::Channel& channel_;
  Fd door_;
  bool linked_ = true;
  int64_t unlinked_since_ns_ = 0;
  uint32_t generation_ = 0;  // tells the polls of former links apart
};

}  // namespace uc::worker

#endif  // CORE_WORKER_COORDINATOR_LINK_H_
