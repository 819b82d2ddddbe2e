// LockedMemory: what this user may still lock for io_uring, asked of the kernel itself.
//
// RLIMIT_MEMLOCK counts for all processes of a user together, and nothing tells how much of it is in use. So a page is
// registered with a small ring of ours, and taken back at once, under soft limits between nothing and what is in force:
// the lowest limit under which that works is what is in use, and a page.
// Refused: filling up what is left with rings, which others of the same user would miss.
#ifndef CORE_RING_LOCKED_MEMORY_H_
#define CORE_RING_LOCKED_MEMORY_H_

#include <cstdint>
#include <memory>
#include <optional>

namespace uc::ring {

class LockedMemory {
 public:
  // nullopt: nothing is counted here (CAP_IPC_LOCK, no limit, a kernel that does not count rings), or io_uring cannot be
  // had at all, which a worker will say.
  static std::optional<LockedMemory> Begin();
  LockedMemory(LockedMemory&&) noexcept;
  LockedMemory& operator=(LockedMemory&&) noexcept;
  ~LockedMemory();

  uint64_t limit() const { return limit_; }
  // Bytes that are left to all processes of this user. Changes the soft limit of this process for a moment: of one
  // thread only.
  uint64_t Free() const;

 private:
  struct Ring;
  LockedMemory(uint64_t limit, std::unique_ptr<Ring> ring);
  uint64_t limit_;
  std::unique_ptr<Ring> ring_;  // null: not even the smallest ring can be had
};

}  // namespace uc::ring

#endif  // CORE_RING_LOCKED_MEMORY_H_
