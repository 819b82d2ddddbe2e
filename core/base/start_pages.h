// StartPages: what a process has read of its own program and libraries in order to start, given back.
//
// Only segments that are never written: what they hold is in the page cache and comes back when it is touched.
// Refused: writable ones, RELRO too (they hold relocations, and zeroes would come back).
#ifndef CORE_BASE_START_PAGES_H_
#define CORE_BASE_START_PAGES_H_

namespace uc {

void ReleaseStartPages();

}  // namespace uc

#endif  // CORE_BASE_START_PAGES_H_
