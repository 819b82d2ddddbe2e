#include "core/coordinator/descriptor_reserve.h"

#include <fcntl.h>

#include <utility>

namespace uc::coordinator {

DescriptorReserve::DescriptorReserve(size_t size) : size_(size) { Refill(); }

void DescriptorReserve::Refill() {
  while (!full()) {
    Fd one(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!one.valid()) return;
    held_.push_back(std::move(one));
  }
}

bool DescriptorReserve::Release() {
  if (held_.empty()) return false;
  held_.pop_back();
  return true;
}

}  // namespace uc::coordinator
