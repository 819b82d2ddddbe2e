#include "core/ring/locked_memory.h"

#include <errno.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <utility>

#include "core/base/check.h"

namespace uc::ring {
namespace {

constexpr uint64_t kPage = 4096;

// RLIMIT_MEMLOCK's soft limit, put back at the end.
class SoftLimit {
 public:
  SoftLimit() { UC_CHECK(getrlimit(RLIMIT_MEMLOCK, &before_) == 0); }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;
  ~SoftLimit() { setrlimit(RLIMIT_MEMLOCK, &before_); }

  bool unlimited() const { return before_.rlim_cur == RLIM_INFINITY; }
  uint64_t before() const { return before_.rlim_cur; }
  void Set(uint64_t bytes) {
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    UC_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  }

 private:
  rlimit before_;
};

}  // namespace

struct LockedMemory::Ring {
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (open) io_uring_queue_exit(&uring);
  }
  // 0 or -errno.
  int Open() {
    const int result = io_uring_queue_init(1, &uring, 0);
    open = result == 0;
    return result;
  }
  // One page more can be locked under the limit that is in force.
  bool Locks() {
    const iovec one = {page, kPage};
    if (io_uring_register_buffers(&uring, &one, 1) != 0) return false;
    io_uring_unregister_buffers(&uring);
    return true;
  }

  io_uring uring = {};
  bool open = false;
  alignas(kPage) char page[kPage] = {};
};

LockedMemory::LockedMemory(uint64_t limit, std::unique_ptr<Ring> ring)
    : limit_(limit), ring_(std::move(ring)) {}
LockedMemory::LockedMemory(LockedMemory&&) noexcept = default;
LockedMemory& LockedMemory::operator=(LockedMemory&&) noexcept = default;
LockedMemory::~LockedMemory() = default;

std::optional<LockedMemory> LockedMemory::Begin() {
  SoftLimit limit;
  if (limit.unlimited()) return std::nullopt;
  limit.Set(0);
  auto ring = std::make_unique<Ring>();
  if (ring->Open() != -ENOMEM) return std::nullopt;
  limit.Set(limit.before());
  if (ring->Open() != 0) ring = nullptr;
  return LockedMemory(limit.before(), std::move(ring));
}

uint64_t LockedMemory::Free() const {
  if (ring_ == nullptr) return 0;
  SoftLimit limit;
  // In pages: under `enough` one more can be locked, under `little` not.
  uint64_t little = 0, enough = limit.before() / kPage;
  limit.Set(enough * kPage);
  if (!ring_->Locks()) return 0;
  while (enough - little > 1) {
    const uint64_t middle = little + (enough - little) / 2;
    limit.Set(middle * kPage);
    (ring_->Locks() ? enough : little) = middle;
  }
  return limit.before() / kPage * kPage - (enough - 1) * kPage;
}

}  // namespace uc::ring
