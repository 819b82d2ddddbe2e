#include "core/exec/life_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "absl/status/status.h"

namespace uc::exec {

absl::StatusOr<LifePage> LifePage::Make() {
  Fd fd(memfd_create("uring-cluster-life", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed: what the program does to its size must not end us with SIGBUS.
  if (!fd.valid() || ftruncate(fd.get(), sizeof(Life)) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return absl::ErrnoToStatus(errno, "no shared memory for the program's signs of life");
  }
  void* const page = mmap(nullptr, sizeof(Life), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap");
  return LifePage(std::move(fd), static_cast<Life*>(page));
}

LifePage::~LifePage() {
  if (page_ != nullptr) munmap(page_, sizeof(Life));
}

Life LifePage::Read() {
  const auto grow = [](const uint64_t& counter, uint64_t& seen, uint64_t& total) {
    const uint64_t now = __atomic_load_n(&counter, __ATOMIC_RELAXED);
    if (now > seen) total += std::min(now - seen, kGrowthMax);
    seen = now;
  };
  // In the order against that of the process: what it has closed meanwhile it has accepted before.
  grow(page_->closes, seen_.closes, total_.closes);
  grow(page_->accepts, seen_.accepts, total_.accepts);
  grow(page_->turns, seen_.turns, total_.turns);
  const uint64_t open = std::min(total_.accepts, kOpenMax);
  total_.closes = std::clamp(total_.closes, total_.accepts - open, total_.accepts);
  return total_;
}

}  // namespace uc::exec
