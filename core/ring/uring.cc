#include "core/ring/uring.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/ring/uapi.h"

namespace uc::ring {
namespace {

using Level = RingOptions::Level;

// Sets of flags, best first.
struct Rung {
  Level level;  // the last level at which it is tried
  uint32_t flags;
  const char* name;
};
constexpr Rung kRungs[] = {
    // 6.1: completions are made inside our own io_uring_enter and nowhere else.
    {Level::kBest, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
    // 6.0: at any change into the kernel, without interrupts between processors.
    {Level::kPlainBuffers,
     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
     "COOP_TASKRUN, SINGLE_ISSUER"},
    // 5.19, the oldest that has rings of buffers.
    {Level::kOldest, IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
};
// A batch goes on after a bad entry; the completion queue has its own size, cut to what is allowed.
constexpr uint32_t kFlagsAlways =
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

// How often a kernel without memory is asked again to take the submissions.
constexpr int kFlushesMax = 1000;
constexpr unsigned kFetchedMax = 512;  // completions, where a turn has other work as well

[[noreturn]] void DieOf(const char* what, int error) {
  LogError(absl::StrCat(what, ": ", strerror(error), " (errno ", error, "); the ring is broken"));
  CheckFailed(__FILE__, __LINE__, what);
}

// Says what a failed io_uring_enter means; returns if the loop goes on.
[[gnu::cold]] void Judge(int error) {
  switch (error) {
    case EINTR:  // a signal: the caller looks at it and comes again
      return;
    case EAGAIN:  // no memory for a request just now: what is left stays queued
      return;
    case EBUSY:  // completions have overflowed: the queue must be emptied before more is taken
      return;
    case EBADR:   // completions were dropped for want of memory: connections would hang for ever
    case EBADF:   // the ring's descriptor was closed behind our back
    case EBADFD:  // the ring is disabled: we never ask for that
    case EEXIST:  // SINGLE_ISSUER, and this is another thread
    case EFAULT:  // our memory is not where we said
    case EINVAL:  // also another thread: the registered descriptor is a number of one thread
    case ENXIO:   // the ring is being torn down
    case EOPNOTSUPP:  // the descriptor is not an io_uring
    case EPERM:       // a seccomp filter that came after the set-up
    default:
      DieOf("io_uring_enter", error);
  }
}

}  // namespace

absl::Status SetupError(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
      return absl::FailedPreconditionError(absl::StrCat(
          "io_uring is not available (", strerror(error),
          "): sysctl kernel.io_uring_disabled must be 0, and a container's seccomp profile must "
          "allow ",
          "io_uring_setup, io_uring_enter and io_uring_register (Docker: --security-opt ",
          "seccomp=unconfined, or a profile that allows the three)"));
    case EINVAL:
      return absl::FailedPreconditionError(
          "io_uring of this kernel is too old (COOP_TASKRUN and rings of buffers need Linux 5.19)");
    case ENOMEM:
      return absl::ResourceExhaustedError(
          "no memory for io_uring: what this user may lock is used up (raise RLIMIT_MEMLOCK: "
          "ulimit -l, "
          "LimitMEMLOCK=), or the memory cgroup is too small");
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError("no file descriptor left for io_uring; raise ulimit -n");
    default:
      return absl::ErrnoToStatus(error, "io_uring cannot be set up");
  }
}

absl::StatusOr<std::unique_ptr<Uring>> Uring::Open(const RingOptions& options) {
  std::unique_ptr<Uring> uring(new Uring());
  if (const int result = uring->Setup(options); result < 0) return SetupError(-result);
  // Spares looking the descriptor up at each turn (5.18); without it all works too.
  const bool registered = io_uring_register_ring_fd(&uring->uring_) == 1;
  uring->enter_fd_ = registered ? uring->uring_.enter_ring_fd : uring->uring_.ring_fd;
  if (registered) uring->enter_flags_ |= IORING_ENTER_REGISTERED_RING;
  if (const int result = uring->ProbeTimers(); result < 0) return SetupError(-result);
  if (options.level >= Level::kOldest) uring->multishot_timers_ = false;
  return uring;
}

Uring::~Uring() {
  if (open_) io_uring_queue_exit(&uring_);
}

int Uring::Setup(const RingOptions& options) {
  int result = -EINVAL;
  for (const Rung& rung : kRungs) {
    if (options.level > rung.level) continue;
    io_uring_params params = {};
    params.flags = rung.flags | kFlagsAlways;
    params.cq_entries = options.completions;
    result = io_uring_queue_init_params(options.submissions, &uring_, &params);
    if (result == -EINVAL) continue;  // flags that this kernel does not know
    open_ = result == 0;
    // Without it an idle server looks like one that waits for its disk ("iowait" of top, and of the load average of
    // who adds it up), and a core that sleeps is told to be ready.
    if (params.features & kFeatureNoIowait) enter_flags_ |= kEnterNoIowait;
    name_ = rung.name;
    break;
  }
  return result;
}

// One timeout that shall fire once in multishot mode (its count, `off`, is 1): kernels before 6.4
// refuse the flag with EINVAL. Also finds out at start, not in the first turn, whether we may enter
// at all.
int Uring::ProbeTimers() {
  __kernel_timespec soon = {0, 1};
  io_uring_prep_timeout(Queue(Tag{}), &soon, 1, kTimeoutMultishot);
  int result = 0;
  do {
    result = io_uring_submit_and_wait(&uring_, 1);
  } while (result == -EINTR || result == -EAGAIN);
  if (result < 0) return result;
  tail_ = io_uring_smp_load_acquire(uring_.cq.ktail);
  UC_CHECK(Peek() != nullptr);
  multishot_timers_ = Peek()->res == -ETIME;
  Pop();
  return 0;
}

[[gnu::cold]] io_uring_sqe* Uring::QueueWhenFull() {
  Flush();
  io_uring_sqe* sqe = io_uring_get_sqe(&uring_);
  UC_CHECK(sqe != nullptr);
  return sqe;
}

void Uring::Flush() {
  for (int flushes = 0; io_uring_sq_ready(&uring_) > 0; ++flushes) {
    if (flushes == kFlushesMax) DieOf("io_uring_enter takes no submissions", ENOMEM);
    const int result = io_uring_submit(&uring_);
    if (result >= 0) continue;
    Judge(-result);
    // What has completed frees its memory; it waits in the completion queue until it is taken.
    io_uring_get_events(&uring_);
  }
}

// Hands over what is queued, makes completions and waits until `wanted` of them are there. liburing 2.3 has no call
// that takes newer flags.
[[gnu::hot]] int Uring::Enter(unsigned wanted) {
  io_uring_sq& queue = uring_.sq;
  unsigned tail = *queue.ktail;
  for (; queue.sqe_head != queue.sqe_tail; ++queue.sqe_head) {
    queue.array[tail++ & queue.ring_mask] = queue.sqe_head & queue.ring_mask;
  }
  io_uring_smp_store_release(queue.ktail, tail);
  const unsigned queued = tail - io_uring_smp_load_acquire(queue.khead);
  return io_uring_enter2(static_cast<unsigned>(enter_fd_), queued, wanted, enter_flags_, nullptr,
                         _NSIG / 8);
}

[[gnu::hot]] void Uring::Turn() {
  // With DEFER_TASKRUN completions are made only inside an enter with GETEVENTS; it also moves completions that
  // have overflowed into the queue.
  EndTurn(Enter(io_uring_cq_ready(&uring_) > 0 ? 0 : 1));
}

void Uring::TurnFor(absl::Duration wait) {
  if (io_uring_cq_ready(&uring_) > 0 || wait <= absl::ZeroDuration()) {
    const int result = io_uring_submit_and_get_events(&uring_);
    if (result >= 0) FetchMore();
    EndTurn(result);
    return;
  }
  const timespec time = absl::ToTimespec(wait);
  __kernel_timespec timeout = {time.tv_sec, time.tv_nsec};
  io_uring_cqe* first = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&uring_, &first, 1, &timeout, nullptr);
  EndTurn(result == -ETIME ? 0 : result);
}

// Linux 6.13 and later makes 20 completions in an enter (IO_LOCAL_TW_DEFAULT_MAX in io_uring/io_uring.c), and others wait for
// the next turn, however long this one is.
void Uring::FetchMore() {
  unsigned ready = io_uring_cq_ready(&uring_);
  for (unsigned before = 0; ready != before && ready < kFetchedMax;) {
    before = ready;
    io_uring_get_events(&uring_);
    ready = io_uring_cq_ready(&uring_);
  }
}

[[gnu::hot]] void Uring::EndTurn(int result) {
  if (result < 0) {
    Judge(-result);
    // A submission that fails skips the second half of the call.
    if (result == -EAGAIN) io_uring_get_events(&uring_);
  }
  tail_ = io_uring_smp_load_acquire(uring_.cq.ktail);
}

}  // namespace uc::ring
