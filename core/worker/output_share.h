// OutputShare: how much of what its peer does not read a connection may keep in memory. PURE.
//
// A bound for each connection alone is none for the worker: peers that ask and do not read are as many as they like. So
// all have a sum, and each an equal share of it: large while they are few, and never so small that a peer that reads
// would have to wait for the next piece. Past the share the worker stops reading what would make more.
#ifndef CORE_WORKER_OUTPUT_SHARE_H_
#define CORE_WORKER_OUTPUT_SHARE_H_

#include <algorithm>
#include <cstddef>

namespace uc::worker {

inline constexpr size_t kOutputShareMin = 16 * 1024;

// `most`: for one connection, however few there are; `sum`: for all. All in bytes.
constexpr size_t OutputShare(size_t most, size_t sum, size_t connections) {
  const size_t share = sum / std::max<size_t>(connections, 1);
  return std::clamp(share, std::min(kOutputShareMin, most), most);
}

}  // namespace uc::worker

#endif  // CORE_WORKER_OUTPUT_SHARE_H_
