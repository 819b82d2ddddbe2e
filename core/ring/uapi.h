// Kernel constants that liburing 2.3 does not know, by hand. Each is probed at run time before use.
#ifndef CORE_RING_UAPI_H_
#define CORE_RING_UAPI_H_

#include <cstdint>

namespace uc::ring {

// include/uapi/linux/io_uring.h. 6.12: buffers of a ring are consumed piece by piece.
// In struct io_uring_buf_reg the field is `flags`, which liburing 2.3 calls `pad`.
inline constexpr uint16_t kPbufRingInc = 2;
// 6.12, in a completion: the buffer will be used for more completions.
inline constexpr uint32_t kCqeBufMore = 1u << 4;
// 6.4: a timeout that fires again and again.
inline constexpr uint32_t kTimeoutMultishot = 1u << 6;
// 6.15, for io_uring_enter and in io_uring_params::features: a wait for completions is not a wait for a disk.
inline constexpr uint32_t kEnterNoIowait = 1u << 7;
inline constexpr uint32_t kFeatureNoIowait = 1u << 17;

}  // namespace uc::ring

#endif  // CORE_RING_UAPI_H_
