// Ring: one io_uring of one thread, as typed operations in and typed completions out.
//
// Created on the thread that uses it. One io_uring_enter a turn: it submits, runs task work and
// waits. Above this folder nobody sees io_uring: a second backend could be added here alone. The
// kernel object is Uring, the receive memory BufferRing; this is the operations on both.
// Refused: SQPOLL (nearly twice the CPU), a time-out per wait (costs 2-4 %), multishot accept (a
// stopped or killed worker with one armed swallows new connections; DESIGN.md 7).
#ifndef CORE_RING_RING_H_
#define CORE_RING_RING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/ring/tag.h"

namespace uc::ring {

struct RingOptions {
  // How much of a new kernel to use; the tests walk down what Create() falls back to by itself.
  // Each level does without what those above it do without.
  enum class Level {
    kBest,
    kNoDeferTaskrun,  // before 6.1: COOP_TASKRUN
    kPlainBuffers,    // before 6.12: a completion uses a whole receive buffer up
    kOldest,          // 5.19: no SINGLE_ISSUER, one-shot timers
  };
  Level level = Level::kBest;
  uint32_t submissions = 1024;  // SQ entries
  uint32_t completions = 4096;  // CQ entries
  // Receive buffers: with incremental consumption (6.12) few large ones, else many small ones.
  uint32_t incremental_buffers = 8;
  uint32_t incremental_buffer_size = 64 * 1024;
  uint32_t plain_buffers = 128;
  uint32_t plain_buffer_size = 2048;
};

// One result. `data` is set for Op::kReceive with result > 0: bytes in the buffer ring's memory,
// valid only until Consumed() (never across a turn).
struct Completion {
  Tag tag;
  int32_t result = 0;  // >= 0, or -errno
  bool more = false;   // the submission stays armed (IORING_CQE_F_MORE)
  absl::string_view data;
  // Private to Ring: which buffer to recycle.
  uint32_t flags = 0;
};

class Ring {
 public:
  // Fails with FailedPrecondition and one line that names the likely causes and the cure when
  // io_uring is forbidden (EPERM: kernel.io_uring_disabled or a container's seccomp filter;
  // ENOSYS).
  static absl::StatusOr<std::unique_ptr<Ring>> Create(const RingOptions& options);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // What was obtained, for the log: "DEFER_TASKRUN, 1024 entries, incremental receive
  // buffers 8 x 64 KiB".
  const std::string& description() const { return description_; }

  // Submissions. Each is queued and handed to the kernel by the next Turn() (or at once when the
  // queue is full). Descriptors and memory must live until the completion arrives.
  void ReceiveMultishot(int fd, Tag tag);
  void PollOnce(int fd, uint32_t events, Tag tag);  // result = revents
  void PollMultishot(int fd, uint32_t events, Tag tag);
  // A completion of `tag` (-ETIME) every `period` > 0 until cancelled (a chain of one-shots before
  // kernel 6.4 is not needed: the completion's `more` is false there and the owner arms it again).
  void Timer(absl::Duration period, Tag tag);
  // Cancels every submission with exactly this tag; they complete with -ECANCELED (or what they
  // had). The cancellation completes too, as Op::kIgnore.
  void Cancel(Tag target);
  // Cancels all that is pending on a descriptor.
  void CancelFd(int fd);

  // Submits and waits until there is at least one completion; EINTR returns with none.
  // Ends the process on errors that say that the ring itself is broken.
  void Turn();
  // The same, and returns with none when `wait` is over; 0: does not wait. A wait costs a few percent more than
  // Turn(): for who has something to do at a time (the load generator), not for servers.
  void TurnFor(absl::Duration wait);

  // Takes completions one by one, in order: while (ring.Next(&completion)) ...; after handling one
  // call Consumed(completion), which gives its receive buffer back. Brings what was there when
  // Turn() returned: what completes meanwhile belongs to the next turn, so that the loop ends.
  bool Next(Completion* completion);
  void Consumed(const Completion& completion);

 private:
  struct State;
  explicit Ring(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  std::string description_;
};

}  // namespace uc::ring

#endif  // CORE_RING_RING_H_
