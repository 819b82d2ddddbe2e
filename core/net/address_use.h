// AddressUse: who may have an address, and whether anybody has it.
#ifndef CORE_NET_ADDRESS_USE_H_
#define CORE_NET_ADDRESS_USE_H_

#include <cstdint>

#include "core/net/address.h"

namespace uc::net {

// Nobody at all has it, not even a socket that shares it or a connection that has just ended: a plain bind, undone at
// once. (ProbeFree of listener.h lets these pass.)
bool IsUnused(const Address& address, bool dual_stack);

// Ports below it need CAP_NET_BIND_SERVICE: net.ipv4.ip_unprivileged_port_start, which goes for IPv6 as well.
uint16_t UnprivilegedPortStart();

}  // namespace uc::net

#endif  // CORE_NET_ADDRESS_USE_H_
