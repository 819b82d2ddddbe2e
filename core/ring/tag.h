// Tag: what a submission is, packed into io_uring's user_data: op 8 | generation 24 | index 32.
//
// The index names a place in a table of the owner, the generation its present tenant: a completion
// that comes after the place was given to somebody else carries an older generation and is dropped.
#ifndef CORE_RING_TAG_H_
#define CORE_RING_TAG_H_

#include <cstdint>

namespace uc::ring {

enum class Op : uint8_t {
  kIgnore = 0,  // nobody waits for it (cancellations)
  kAccept,      // index = listener; poll for POLLIN
  kReceive,     // index = connection; multishot into the buffer ring
  kWritable,    // index = connection; poll for POLLOUT
  kTick,        // the multishot timer
  kLink,        // the coordinator's link is readable
  kWake,        // the eventfd: work posted by other threads, signals
};

inline constexpr uint32_t kGenerationMask = 0xffffff;

struct Tag {
  Op op = Op::kIgnore;
  uint32_t generation = 0;  // the low 24 bits count
  uint32_t index = 0;

  constexpr uint64_t Pack() const {
    return uint64_t{static_cast<uint8_t>(op)} << 56 | uint64_t{generation & kGenerationMask} << 32 |
           index;
  }
  static constexpr Tag Unpack(uint64_t packed) {
    return Tag{static_cast<Op>(packed >> 56), static_cast<uint32_t>(packed >> 32) & kGenerationMask,
               static_cast<uint32_t>(packed)};
  }
  friend constexpr bool operator==(const Tag&, const Tag&) = default;
};

}  // namespace uc::ring

#endif  // CORE_RING_TAG_H_
