#include "core/exec/queue_watch.h"

#include <utility>

namespace uc::exec {

void QueueWatch::Look(uint32_t waiting, uint64_t progress) {
  if (std::exchange(progress_, progress) != progress) {
    silent_ = false;
    pending_ = waiting > 0;
    return;
  }
  silent_ |= pending_ && waiting > 0;
  pending_ = waiting > 0;
}

void QueueWatch::Look(uint32_t waiting) {
  if (std::exchange(waiting_, waiting) > waiting || waiting == 0) ++shrinks_;
  Look(waiting, shrinks_);
}

}  // namespace uc::exec
