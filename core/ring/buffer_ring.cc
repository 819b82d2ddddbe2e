#include "core/ring/buffer_ring.h"

#include <sys/mman.h>

#include "core/base/check.h"
#include "core/ring/uapi.h"

namespace uc::ring {
namespace {

constexpr uint32_t kCountMax = 1u << 15;  // io_register_pbuf_ring: fewer than 65,536

template <typename T>
T* MapPages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
  return pages == MAP_FAILED ? nullptr : static_cast<T*>(pages);
}

uint16_t IdOf(uint32_t flags) { return static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT); }

}  // namespace

BufferRing::BufferRing(Mode mode, uint32_t count, uint32_t size)
    : mode_(mode),
      count_(count),
      size_(size),
      ring_(MapPages<io_uring_buf_ring>(ring_bytes())),
      memory_(MapPages<char>(memory_bytes())),
      taken_(count, 0) {}

BufferRing::~BufferRing() {
  if (ring_ != nullptr) munmap(ring_, ring_bytes());
  if (memory_ != nullptr) munmap(memory_, memory_bytes());
}

std::unique_ptr<BufferRing> BufferRing::Map(Mode mode, uint32_t count, uint32_t size) {
  UC_CHECK(count > 0 && count <= kCountMax && (count & (count - 1)) == 0 && size > 0);
  std::unique_ptr<BufferRing> buffers(new BufferRing(mode, count, size));
  if (buffers->ring_ == nullptr || buffers->memory_ == nullptr) return nullptr;
  // The kernel pins the pages of the ring. A child that an app forks must not make them
  // copy-on-write, or we would write to a copy that the kernel never reads.
  madvise(buffers->ring_, buffers->ring_bytes(), MADV_DONTFORK);
  return buffers;
}

int BufferRing::Register(io_uring* uring) {
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_);
  registration.ring_entries = count_;
  registration.bgid = kGroup;
  registration.pad = mode_ == Mode::kIncremental ? kPbufRingInc : 0;
  io_uring_buf_ring_init(ring_);
  const int result = io_uring_register_buf_ring(uring, &registration, 0);
  if (result < 0) return result;
  for (uint32_t id = 0; id < count_; ++id) Give(static_cast<uint16_t>(id));
  return 0;
}

void BufferRing::Give(uint16_t id) {
  taken_[id] = 0;
  // The kernel shortens entries of an incremental ring in place: each is written anew.
  io_uring_buf_ring_add(ring_, memory_ + size_t{id} * size_, size_, id,
                        io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

[[gnu::hot]] absl::string_view BufferRing::Take(uint32_t flags, int32_t result) {
  const uint16_t id = IdOf(flags);
  UC_CHECK(id < count_ && static_cast<uint32_t>(result) <= size_ - taken_[id]);
  const char* begin = memory_ + size_t{id} * size_ + taken_[id];
  taken_[id] += static_cast<uint32_t>(result);
  return absl::string_view(begin, static_cast<size_t>(result));
}

[[gnu::hot]] void BufferRing::Recycle(uint32_t flags, int32_t result) {
  switch (mode_) {
    case Mode::kPlain:
      break;
    case Mode::kIncremental:
      if (flags & kCqeBufMore) return;
      // At EOF kernels (6.12 to 6.19 at least) forget BUF_MORE though nothing was taken from the
      // buffer and they go on using it: io_kbuf_inc_commit() with length 0, liburing issues 1545
      // and 1553.
      if (result <= 0) return;
      break;
  }
  const uint16_t id = IdOf(flags);
  UC_CHECK(id < count_);
  Give(id);
}

}  // namespace uc::ring
