#include "core/net/bpf_capability.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace uc::net {

bool DropBpfCapability() {
  // Without CAP_SETPCAP it is refused: then a file's capability would come back with an exec.
  prctl(PR_CAPBSET_DROP, CAP_BPF, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_BPF, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  __user_cap_data_struct& set = sets[CAP_TO_INDEX(CAP_BPF)];
  const uint32_t bit = CAP_TO_MASK(CAP_BPF);
  const bool held = (set.permitted & bit) != 0;
  if (!held && (set.inheritable & bit) == 0) return false;
  set.effective &= ~bit;
  set.permitted &= ~bit;
  set.inheritable &= ~bit;
  // To have less is always permitted.
  return syscall(SYS_capset, &header, sets) == 0 && held;
}

}  // namespace uc::net
