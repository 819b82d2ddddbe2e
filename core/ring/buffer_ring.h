// BufferRing: the memory into which the kernel receives, given to it buffer by buffer.
//
// Invariant: a buffer belongs either to the kernel or to the completions that name it. It goes back
// when its last completion has been consumed: any one in plain mode, the one without BUF_MORE in
// incremental mode. Small on purpose: what is received stays in the cache until it has been parsed.
// Refused: one buffer per connection (memory for idle peers), bundles (not with incremental rings).
#ifndef CORE_RING_BUFFER_RING_H_
#define CORE_RING_BUFFER_RING_H_

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace uc::ring {

class BufferRing {
 public:
  enum class Mode {
    kPlain,        // a completion uses up a buffer, however few its bytes (5.19)
    kIncremental,  // completions take what they need from a buffer, one behind the other (6.12)
  };
  // The buffer group's number; a ring has one group.
  static constexpr uint16_t kGroup = 0;

  // Null if there is no memory. `count` is a power of two of at most 32,768.
  static std::unique_ptr<BufferRing> Map(Mode mode, uint32_t count, uint32_t size);
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  // Only after the io_uring is gone.
  ~BufferRing();

  // Makes the ring known to `uring` and gives it all buffers; -errno if the kernel does not want it
  // (EINVAL: no such mode).
  int Register(io_uring* uring);

  // The bytes of a completion with IORING_CQE_F_BUFFER and result > 0. Once per completion, in
  // order: where they lie follows from what was taken from that buffer before.
  absl::string_view Take(uint32_t flags, int32_t result);
  // Gives the buffer of a completion with IORING_CQE_F_BUFFER back, if that was its last one.
  void Recycle(uint32_t flags, int32_t result);

  Mode mode() const { return mode_; }
  uint32_t count() const { return count_; }
  uint32_t size() const { return size_; }

 private:
  BufferRing(Mode mode, uint32_t count, uint32_t size);
  void Give(uint16_t id);
  size_t ring_bytes() const { return size_t{count_} * sizeof(io_uring_buf); }
  size_t memory_bytes() const { return size_t{count_} * size_; }

  const Mode mode_;
  const uint32_t count_;
  const uint32_t size_;
  io_uring_buf_ring* ring_ = nullptr;
  char* memory_ = nullptr;
  std::vector<uint32_t> taken_;  // bytes of each buffer that completions have named
};

}  // namespace uc::ring

#endif  // CORE_RING_BUFFER_RING_H_
