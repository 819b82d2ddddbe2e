// Listening: bind, listen and connect as the program calls them, where the slot's listener is put underneath.
#ifndef CORE_EXEC_PRELOAD_LISTENING_H_
#define CORE_EXEC_PRELOAD_LISTENING_H_

#include <sys/socket.h>

#include "core/exec/preload/connections.h"

namespace uc::exec {

int Bind(int fd, const sockaddr* address, socklen_t size);
int Listen(int fd, int backlog);
// Bound to port 0: the kernel has chosen one, and the program did not mind which.
extern bool any_port[kDescriptorsMax];

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_LISTENING_H_
