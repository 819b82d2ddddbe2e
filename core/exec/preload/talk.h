// Talk: the library's end of the connection to the launcher (protocol.h).
#ifndef CORE_EXEC_PRELOAD_TALK_H_
#define CORE_EXEC_PRELOAD_TALK_H_

#include "core/exec/preload/protocol.h"

namespace uc::exec {

// `text`: of kDoorVariable. False: there is no launcher, the program is as it would be without us.
bool SetDoor(const char* text);
bool HasDoor();
// A new connection; -1: nobody is there.
int Connect();
bool Send(int fd, Packet packet, int descriptor);
// Blocks. `descriptor`: -1 if none came along.
bool Receive(int fd, Packet* packet, int* descriptor);
// A question on a connection of its own, and the answer; kLeaveAlone when nobody answers.
Packet Ask(const Packet& question, int own, int* descriptor);

// Moves a descriptor of ours out of the way of the program's.
int MoveAway(int fd);

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_TALK_H_
