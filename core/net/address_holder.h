// AddressHolder: who keeps a TCP address, for error messages.
//
// Best effort, from /proc: another user's process is found only by its user id, a socket that does
// not listen not at all. Nothing is decided by it: whether an address is free is the kernel's word.
#ifndef CORE_NET_ADDRESS_HOLDER_H_
#define CORE_NET_ADDRESS_HOLDER_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/net/address.h"

namespace uc::net {

struct AddressHolder {
  uid_t user = 0;       // whose socket it is
  pid_t process = 0;    // the oldest process that has it open; 0 = not to be seen by us
  std::string command;  // that process's name

  // "process 4711 (nginx) of user id 33".
  std::string ToString() const;
};

// The listener that stands in the way of a bind to `address`: on the same one, or on all
// interfaces. `root` stands before /proc, for tests.
std::optional<AddressHolder> FindAddressHolder(const Address& address,
                                               const std::string& root = "");

}  // namespace uc::net

#endif  // CORE_NET_ADDRESS_HOLDER_H_
