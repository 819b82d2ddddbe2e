// DescriptorReserve: file descriptors kept back, so that a command is answered also when there are no others.
//
// Invariant: those of the reserve are open on /dev/null and good for nothing else; one that was released is opened anew
// as soon as that can be.
#ifndef CORE_COORDINATOR_DESCRIPTOR_RESERVE_H_
#define CORE_COORDINATOR_DESCRIPTOR_RESERVE_H_

#include <cstddef>
#include <vector>

#include "core/base/fd.h"

namespace uc::coordinator {

class DescriptorReserve {
 public:
  explicit DescriptorReserve(size_t size);

  // Opens what is missing, as far as the limit allows.
  void Refill();
  // Gives one up, for whatever the caller opens next. False: there is none.
  bool Release();
  bool full() const { return held_.size() == size_; }
  bool empty() const { return held_.empty(); }

 private:
  const size_t size_;
  std::vector<Fd> held_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_DESCRIPTOR_RESERVE_H_
