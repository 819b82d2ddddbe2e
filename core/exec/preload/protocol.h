// What the preload library in a program and the launcher beside it say to each other, over a SEQPACKET UNIX
// socket: one Packet a message, descriptors ride along. C-like, for the library must need nothing but libc.
//
// A question (kMayBind, kMayListen) has a short connection of its own. A process that listens keeps one connection
// for orders: it tells each of its listeners there, and a thread of the library obeys what comes back.
#ifndef CORE_EXEC_PRELOAD_PROTOCOL_H_
#define CORE_EXEC_PRELOAD_PROTOCOL_H_

#include <stdint.h>
#include <sys/socket.h>

namespace uc::exec {

// Where the library finds the launcher, and what lets it in: "@NAME,SECRET", an abstract socket's name and
// kSecretBytes in hexadecimal. The name is known to everybody (/proc/net/unix), the secret to whoever has the
// environment of the program.
inline constexpr char kDoorVariable[] = "URING_CLUSTER_LISTEN_DOOR";
inline constexpr uint32_t kProtocolVersion = 2;
inline constexpr int kSecretBytes = 16;

enum class Say : uint32_t {
  // Program to launcher: questions.
  kMayBind = 1,  // about to bind to `address`, whose port is not 0
  kMayListen =
      2,  // about to listen on `address`, with its descriptor; port 0: it did not mind which
  // Launcher to program: answers.
  kTakeThis = 10,    // a socket to put underneath the program's own; with its descriptor
  kKeepYours = 11,   // the program's own socket is the slot's listener from now on
  kLeaveAlone = 12,  // none of our affair
  kFails = 13,       // the call fails with errno `number`
  // Program to launcher: facts.
  kListening = 20,     // listen() on one of ours has succeeded
  kSiteListens = 22,   // listen() on the private listener of the site has succeeded; answered
  kSiteConnects = 23,  // what was bound to `address` connects: it is no site; answered
  kBusy = 21,          // closed, and `number` of `open` connections have a request in flight
  // Launcher to program: orders.
  kLife = 30,   // a memfd that holds a Life, for this process
  kClose = 31,  // accept nothing more; report kBusy when it changes
  kOpen = 32,   // accept (again)
  kAdopt =
      33,  // accept from this listener of slot `number` as well, as if it had come to `address`
  kRelease = 34,  // no more from those of slot `number`
};

struct Packet {
  uint32_t version = kProtocolVersion;
  Say say = Say::kLeaveAlone;
  uint32_t number = 0;
  uint32_t dual_stack = 0;  // IPv6: takes IPv4 as well
  uint32_t open = 0;
  uint32_t closed = 0;  // with kTakeThis, kKeepYours: accept nothing until kOpen
  uint32_t address_bytes = 0;
  sockaddr_storage address = {};
  uint8_t secret[kSecretBytes] = {};  // in all that the program says
};

// Signs of life of a process that listens; only ever added to.
struct Life {
  uint64_t turns;    // it waited at a listener, or tried to accept
  uint64_t accepts;  // connections taken
  uint64_t closes;   // connections ended
};

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_PROTOCOL_H_
