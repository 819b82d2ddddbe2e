// LifePage: shared memory where a process that listens counts its turns and connections (preload/protocol.h).
#ifndef CORE_EXEC_LIFE_PAGE_H_
#define CORE_EXEC_LIFE_PAGE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/exec/preload/protocol.h"

namespace uc::exec {

class LifePage {
 public:
  static absl::StatusOr<LifePage> Make();
  LifePage(LifePage&& other) noexcept
      : fd_(std::move(other.fd_)), page_(std::exchange(other.page_, nullptr)) {}
  LifePage& operator=(LifePage&&) = delete;
  ~LifePage();

  // For the process; borrowed.
  int fd() const { return fd_.get(); }
  Life Read() const;

 private:
  LifePage(Fd fd, Life* page) : fd_(std::move(fd)), page_(page) {}
  Fd fd_;
  Life* page_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_LIFE_PAGE_H_
