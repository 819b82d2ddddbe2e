// LifePage: shared memory where a process that listens counts its turns and connections (preload/protocol.h).
//
// The process can write there what it likes, and others count with it. So a counter only grows, by what is possible
// since the last time at most, nothing is closed that was not accepted, and no more is open than a process can have.
#ifndef CORE_EXEC_LIFE_PAGE_H_
#define CORE_EXEC_LIFE_PAGE_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/exec/preload/protocol.h"

namespace uc::exec {

class LifePage {
 public:
  static constexpr uint64_t kGrowthMax = 1 << 24;  // between two times
  static constexpr uint64_t kOpenMax = 1 << 16;    // connections of one process

  static absl::StatusOr<LifePage> Make();
  LifePage(LifePage&& other) noexcept
      : fd_(std::move(other.fd_)),
        page_(std::exchange(other.page_, nullptr)),
        seen_(other.seen_),
        total_(other.total_) {}
  LifePage& operator=(LifePage&&) = delete;
  ~LifePage();

  // For the process; borrowed.
  int fd() const { return fd_.get(); }
  Life Read();

 private:
  LifePage(Fd fd, Life* page) : fd_(std::move(fd)), page_(page) {}
  Fd fd_;
  Life* page_;
  Life seen_ = {};   // on the page, the last time
  Life total_ = {};  // what is believed of it
};

}  // namespace uc::exec

#endif  // CORE_EXEC_LIFE_PAGE_H_
