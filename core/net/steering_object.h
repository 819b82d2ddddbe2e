// The steering program as clang compiled it: an ELF object, for libbpf. Generated from steering.bpf.c by the build.
#ifndef CORE_NET_STEERING_OBJECT_H_
#define CORE_NET_STEERING_OBJECT_H_

#include <cstddef>

namespace uc::net {

extern const unsigned char kSteeringObject[];
extern const size_t kSteeringObjectBytes;

}  // namespace uc::net

#endif  // CORE_NET_STEERING_OBJECT_H_
