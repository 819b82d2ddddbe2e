#include "core/ring/ring_size.h"

namespace uc::ring {
namespace {

constexpr uint64_t kPage = 4096;
// Of struct io_uring_sqe and struct io_uring_cqe, and of the heads and tails before the completions.
constexpr uint64_t kSubmissionBytes = 64, kCompletionBytes = 16, kHeadBytes = 64;
constexpr uint64_t kBuffersBytes = kPage;  // the ring of buffers, not their memory

uint64_t WholePages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

}  // namespace

RingOptions WithEntries(uint32_t entries) {
  RingOptions options;
  options.submissions = entries;
  options.completions = 4 * entries;
  return options;
}

uint64_t LockedBytes(uint32_t entries) {
  if (entries == 0) return 0;
  const uint64_t index = sizeof(uint32_t) * uint64_t{entries};  // the array of submissions
  return WholePages(kSubmissionBytes * entries) +
         WholePages(kHeadBytes + kCompletionBytes * 4 * entries + index) + kBuffersBytes;
}

uint32_t EntriesThatFit(uint64_t bytes, uint64_t rings) {
  for (const uint32_t entries : kRingEntries) {
    if (LockedBytes(entries) * rings <= bytes) return entries;
  }
  return kRingEntriesLeast;
}

}  // namespace uc::ring
