#include "core/ring/ring.h"

#include <errno.h>
#include <liburing.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/ring/buffer_ring.h"
#include "core/ring/uapi.h"
#include "core/ring/uring.h"

namespace uc::ring {
namespace {

absl::StatusOr<std::unique_ptr<BufferRing>> MakeBuffers(const RingOptions& options, Uring& uring) {
  if (options.level < RingOptions::Level::kPlainBuffers) {
    std::unique_ptr<BufferRing> buffers =
        BufferRing::Map(BufferRing::Mode::kIncremental, options.incremental_buffers,
                        options.incremental_buffer_size);
    if (buffers == nullptr) return SetupError(ENOMEM);
    const int result = buffers->Register(uring.get());
    if (result == 0) return buffers;
    if (result != -EINVAL) return SetupError(-result);  // EINVAL: before 6.12
  }
  std::unique_ptr<BufferRing> buffers =
      BufferRing::Map(BufferRing::Mode::kPlain, options.plain_buffers, options.plain_buffer_size);
  if (buffers == nullptr) return SetupError(ENOMEM);
  if (const int result = buffers->Register(uring.get()); result < 0) return SetupError(-result);
  return buffers;
}

std::string Describe(const Uring& uring, const BufferRing& buffers) {
  const uint32_t size = buffers.size();
  return absl::StrCat(
      uring.name(), ", ", uring.entries(), " entries, ",
      buffers.mode() == BufferRing::Mode::kIncremental ? "incremental " : "", "receive buffers ",
      buffers.count(), " x ",
      size % 1024 == 0 ? absl::StrCat(size / 1024, " KiB") : absl::StrCat(size, " B"));
}

}  // namespace

struct Ring::State {
  std::unique_ptr<BufferRing> buffers;  // outlives the io_uring that knows its memory
  std::unique_ptr<Uring> uring;
  __kernel_timespec period =
      {};  // of the timer that is queued; the kernel copies it when it takes it
  bool timer_queued = false;
};

Ring::Ring(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ring::~Ring() = default;

absl::StatusOr<std::unique_ptr<Ring>> Ring::Create(const RingOptions& options) {
  auto state = std::make_unique<State>();
  absl::StatusOr<std::unique_ptr<Uring>> uring = Uring::Open(options);
  if (!uring.ok()) return uring.status();
  state->uring = *std::move(uring);
  absl::StatusOr<std::unique_ptr<BufferRing>> buffers = MakeBuffers(options, *state->uring);
  if (!buffers.ok()) return buffers.status();
  state->buffers = *std::move(buffers);
  std::unique_ptr<Ring> ring(new Ring(std::move(state)));
  ring->description_ = Describe(*ring->state_->uring, *ring->state_->buffers);
  return ring;
}

[[gnu::hot]] void Ring::ReceiveMultishot(int fd, Tag tag) {
  io_uring_sqe* sqe = state_->uring->Queue(tag);
  io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kGroup;
}

[[gnu::hot]] void Ring::PollOnce(int fd, uint32_t events, Tag tag) {
  io_uring_prep_poll_add(state_->uring->Queue(tag), fd, events);
}

void Ring::PollMultishot(int fd, uint32_t events, Tag tag) {
  io_uring_prep_poll_multishot(state_->uring->Queue(tag), fd, events);
}

void Ring::Timer(absl::Duration period, Tag tag) {
  UC_CHECK(period > absl::ZeroDuration());
  if (state_->timer_queued) state_->uring->Flush();
  state_->timer_queued = true;
  const timespec time = absl::ToTimespec(period);
  state_->period = {time.tv_sec, time.tv_nsec};
  io_uring_prep_timeout(state_->uring->Queue(tag), &state_->period, 0,
                        state_->uring->multishot_timers() ? kTimeoutMultishot : 0);
}

void Ring::Cancel(Tag target) {
  io_uring_prep_cancel64(state_->uring->Queue(Tag{}), target.Pack(), IORING_ASYNC_CANCEL_ALL);
}

void Ring::CancelFd(int fd) {
  io_uring_prep_cancel_fd(state_->uring->Queue(Tag{}), fd, IORING_ASYNC_CANCEL_ALL);
}

[[gnu::hot]] void Ring::Turn() {
  state_->uring->Turn();
  state_->timer_queued = io_uring_sq_ready(state_->uring->get()) > 0 && state_->timer_queued;
}

void Ring::TurnFor(absl::Duration wait) {
  state_->uring->TurnFor(wait);
  state_->timer_queued = io_uring_sq_ready(state_->uring->get()) > 0 && state_->timer_queued;
}

[[gnu::hot]] bool Ring::Next(Completion* completion) {
  const io_uring_cqe* cqe = state_->uring->Peek();
  if (cqe == nullptr) return false;
  completion->tag = Tag::Unpack(cqe->user_data);
  completion->result = cqe->res;
  completion->flags = cqe->flags;
  completion->more = cqe->flags & IORING_CQE_F_MORE;
  completion->data = {};
  state_->uring->Pop();
  if ((completion->flags & IORING_CQE_F_BUFFER) && completion->result > 0) {
    completion->data = state_->buffers->Take(completion->flags, completion->result);
  }
  return true;
}

[[gnu::hot]] void Ring::Consumed(const Completion& completion) {
  if (completion.flags & IORING_CQE_F_BUFFER) {
    state_->buffers->Recycle(completion.flags, completion.result);
  }
}

}  // namespace uc::ring
