#include "core/exec/life_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

Life LifePage::Read() const {
  Life life;
  life.turns = __atomic_load_n(&page_->turns, __ATOMIC_RELAXED);
  life.accepts = __atomic_load_n(&page_->accepts, __ATOMIC_RELAXED);
  life.closes = __atomic_load_n(&page_->closes, __ATOMIC_RELAXED);
  return life;
}

}  // namespace uc::exec
