#include "core/base/descriptor_limit.h"

#include <sys/resource.h>

#include "core/base/check.h"

namespace uc {

uint64_t RaiseDescriptorLimit() {
  rlimit limit;
  UC_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

uint64_t DescriptorLimit() {
  rlimit limit;
  UC_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit.rlim_cur;
}

}  // namespace uc
