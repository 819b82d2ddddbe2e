// What the preload library in a program and the launcher beside it say to each other, over a SEQPACKET UNIX
// socket: one Packet a message, descriptors ride along. C-like, for the library must need nothing but libc.
//
// One connection per process that listens. The program's side asks and waits for the answer; once it listens, the
// same connection brings the launcher's orders to a thread of the library.
#ifndef CORE_EXEC_PRELOAD_PROTOCOL_H_
#define CORE_EXEC_PRELOAD_PROTOCOL_H_

#include <stdint.h>
#include <sys/socket.h>

namespace uc::exec {

// Where the library finds the launcher (an abstract socket's name behind '@'), and the number of the memfd that holds a Life.
inline constexpr char kDoorVariable[] = "URING_CLUSTER_LISTEN_DOOR";
inline constexpr char kLifeVariable[] = "URING_CLUSTER_LIFE_FD";
inline constexpr uint32_t kProtocolVersion = 1;

enum class Say : uint32_t {
  // Program to launcher.
  kMayBind = 4,    // about to bind to `address`, whose port is not 0; a short connection of its own
  kMayListen = 1,  // about to listen on `address`; port 0: it did not mind which
  kBound = 2,      // will listen on a socket of its own; with its descriptor. `address`: where
  kListening = 3,  // listen() on one of ours has succeeded
  // Launcher to program: answers to kMayListen.
  kTakeThis = 10,    // the slot has a listener already; with its descriptor
  kBindThere = 11,   // its own socket, bound to `address` with SO_REUSEPORT
  kLeaveAlone = 12,  // none of our affair
  kFails = 13,       // listen() fails with errno `number`
  // Launcher to program: orders.
  kClose = 20,  // accept nothing more
  kOpen = 21,   // accept again
  kAdopt =
      22,  // accept from this listener of slot `number` as well, as if it had come to `address`
  kRelease = 23,  // no more from those of slot `number`
};

struct Packet {
  uint32_t version = kProtocolVersion;
  Say say = Say::kLeaveAlone;
  int32_t pid = 0;
  uint32_t number = 0;
  uint32_t address_bytes = 0;
  sockaddr_storage address = {};
};

// Signs of life of the program, only ever added to.
struct Life {
  uint64_t turns;    // its event loop waited, or it accepted
  uint64_t accepts;  // connections taken
};

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_PROTOCOL_H_
