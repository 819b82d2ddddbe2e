// Birth: how a worker comes into the world: a row of the scoreboard, a link with its assignment already in it, an inbox,
// a door, streams for its output, and then a process that has them.
//
// Row and door exist before the process does, so that whoever comes after a coordinator that died in between finds it.
// Nothing of this is in the coordinator's own tables until the process is there.
#ifndef CORE_COORDINATOR_BIRTH_H_
#define CORE_COORDINATOR_BIRTH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/coordinator/coordinator_options.h"
#include "core/coordinator/spawner.h"
#include "core/coordinator/worker_output.h"
#include "core/coordinator/worker_process.h"
#include "core/link/channel.h"
#include "core/net/address.h"
#include "core/policy/action.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

struct Birth {
  policy::WorkerId id;
  policy::Entry entry = policy::Entry::kAtOnce;
  uint32_t ring_entries = 0;            // of a native worker's ring (core/ring/ring_size.h)
  std::vector<net::Address> addresses;  // those of --listen
  std::vector<int> steering;            // borrowed; empty: there is no steering
  std::vector<int> listeners;           // of its slot, borrowed; empty: it binds them itself
};

// What there is before the process: the first half of a birth. Goes with its row and its door, unless it was finished.
class Preparation {
 public:
  // Unavailable: out of something for now.
  static absl::StatusOr<Preparation> Prepare(const CoordinatorOptions& options, const Birth& birth,
                                             scoreboard::Scoreboard& board);
  Preparation(Preparation&& other) noexcept;
  Preparation& operator=(Preparation&&) = delete;
  ~Preparation();

  // The worker's end of the link, with the assignment in it.
  int link_fd() const { return theirs_.fd(); }
  // Why the worker gets a door that nobody finds; OK: it has one.
  const absl::Status& door_status() const { return door_status_; }
  WorkerProcess Finish(Spawned spawned) &&;

 private:
  Preparation(scoreboard::Layout& layout, link::Channel ours, link::Channel theirs)
      : layout_(layout), ours_(std::move(ours)), theirs_(std::move(theirs)) {}
  absl::Status Assign(const Birth& birth, const scoreboard::Scoreboard& board);

  scoreboard::Layout& layout_;
  link::Channel ours_;
  link::Channel theirs_;
  policy::WorkerId id_;
  std::optional<uint32_t> row_;  // nullopt: finished, or moved away
  std::string door_path_;
  absl::Status door_status_;
  Fd inbox_;
};

// FailedPrecondition: the binary cannot be executed. Others: out of something for now. `door_status`: Preparation's.
absl::StatusOr<WorkerProcess> GiveBirth(const CoordinatorOptions& options, const Birth& birth,
                                        scoreboard::Scoreboard& board, WorkerOutput& output,
                                        absl::Status* door_status);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_BIRTH_H_
