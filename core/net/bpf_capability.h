// CAP_BPF: needed to load the steering program, and for nothing afterwards.
#ifndef CORE_NET_BPF_CAPABILITY_H_
#define CORE_NET_BPF_CAPABILITY_H_

namespace uc::net {

// Gives up CAP_BPF (effective, permitted, inheritable, ambient; and, where permitted, for whatever is executed
// later) of this thread for good. True if it was held.
bool DropBpfCapability();

}  // namespace uc::net

#endif  // CORE_NET_BPF_CAPABILITY_H_
