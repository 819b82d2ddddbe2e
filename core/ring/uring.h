// Uring: one io_uring of the kernel: obtaining it, filling its submission queue, entering it.
//
// Decides which set-up flags this kernel gives, and what each errno of io_uring_enter means. Knows
// nothing of operations and buffers. Invariant: Queue() never fails and never reorders.
#ifndef CORE_RING_URING_H_
#define CORE_RING_URING_H_

#include <liburing.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/ring/ring.h"
#include "core/ring/tag.h"

namespace uc::ring {

class Uring {
 public:
  static absl::StatusOr<std::unique_ptr<Uring>> Open(const RingOptions& options);
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring();

  // The flags that this kernel took: "DEFER_TASKRUN".
  const char* name() const { return name_; }
  // Timeouts fire again and again (6.4).
  bool multishot_timers() const { return multishot_timers_; }
  io_uring* get() { return &uring_; }
  // Places of the submission queue.
  unsigned entries() const { return uring_.sq.ring_entries; }

  // An entry to be filled in; a full queue is handed to the kernel first, without waiting.
  io_uring_sqe* Queue(Tag tag) {
    io_uring_sqe* sqe = io_uring_get_sqe(&uring_);
    if (__builtin_expect(sqe == nullptr, 0)) sqe = QueueWhenFull();
    sqe->user_data = tag.Pack();
    return sqe;
  }
  // Hands over what is queued, without waiting.
  void Flush();
  // Hands over what is queued, runs task work, waits until a completion is there. A signal ends the
  // wait.
  void Turn();
  // The same, and `wait` ends the wait, too.
  void TurnFor(absl::Duration wait);

  // The oldest completion of those that were there at the end of the last Turn(); null if there is
  // none. Those that come meanwhile belong to the next turn, so that a turn ends.
  const io_uring_cqe* Peek() const {
    return head_ == tail_ ? nullptr : &uring_.cq.cqes[head_ & uring_.cq.ring_mask];
  }
  void Pop() { io_uring_smp_store_release(uring_.cq.khead, ++head_); }

 private:
  Uring() = default;
  int Setup(const RingOptions& options);
  int ProbeTimers();
  io_uring_sqe* QueueWhenFull();
  int Enter(unsigned wanted);
  void FetchMore();
  void EndTurn(int result);

  io_uring uring_ = {};
  bool open_ = false;
  bool multishot_timers_ = false;
  int enter_fd_ = -1;  // the ring's place among this thread's registered ones, or its descriptor
  unsigned enter_flags_ = IORING_ENTER_GETEVENTS;
  const char* name_ = "";
  unsigned head_ = 0;  // of the completion queue; the kernel reads its copy
  unsigned tail_ = 0;  // as it was at the end of the last turn
};

// What an errno of setting up an io_uring says to the operator. Never OK.
absl::Status SetupError(int error);

}  // namespace uc::ring

#endif  // CORE_RING_URING_H_
