// Messages of the link, the SEQPACKET pair between the coordinator and one worker. One message = one
// packet; descriptors ride along as SCM_RIGHTS.
//
// The coordinator distrusts workers: a malformed or unexpected message is counted and ignored. A worker
// trusts its coordinator and exits when it does not understand it.
// Everything that is fixed for the cluster (app, addresses, limits) is in the worker's command line; the
// link carries what differs per birth.
#ifndef CORE_LINK_MESSAGE_H_
#define CORE_LINK_MESSAGE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::link {

inline constexpr uint32_t kVersion = 6;
inline constexpr int kWorkerLinkFd = 3;  // where an exec'd worker finds its end
inline constexpr size_t kMessageBytesMax = 8192;
inline constexpr size_t kDescriptorsMax = 240;  // per message; the kernel takes 253 (SCM_MAX_FD)
inline constexpr size_t kAddressesMax = 64;     // listen addresses of a cluster

enum class Entry : uint8_t {
  kAtOnce = 1,       // accept, then say Ready
  kOnAdmission = 2,  // say Ready, accept after Admit
};
// Coordinator to worker; the first message, sent before the worker runs. Descriptors: the scoreboard's
// reports, the worker's inbox (reading end, writing end), its door, then `steering` ones of the steering program (the state
// map first), then the slot's listeners in the order of the listen addresses, or none: bind yourself.
//
// The inbox takes connections of other workers. The door is a listening UNIX socket where a coordinator that
// comes after this one asks for a new link. Writing end and steering descriptors are only kept: for it.
struct Assign {
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t row = 0;  // in the scoreboard
  Entry entry = Entry::kAtOnce;
  uint16_t steering = 0;
  // What the coordinator has reckoned with for the worker's ring; 0: the most.
  uint32_t ring_entries = 0;
  // The cluster's addresses with port 0 resolved by an earlier worker; empty: use the command line's.
  std::vector<std::string> addresses;
};
inline constexpr size_t kAssignDescriptors = 4;  // before steering and listeners
inline constexpr size_t kDoorDescriptor = 3;     // among them

// Coordinator to worker: accept from now on.
struct Admit {};
// Coordinator to worker: serve the connection that comes along, as if it had been accepted.
struct Serve {};

enum class DrainKind : uint8_t { kHandOver = 1, kPrompt = 2 };
// Coordinator to worker. Descriptors: the writing ends of the inboxes of the heirs.
struct Drain {
  DrainKind kind = DrainKind::kHandOver;
  uint32_t within_ms = 0;
};
// Coordinator to worker: hand so many idle connections over, each number to the inbox at its place among the
// descriptors.
struct Give {
  std::vector<uint32_t> connections;
};
// Coordinator to worker: the log file was opened again; the descriptor that comes along is the new stderr.
struct Reopen {};

// Coordinator to worker: take connections from these listeners of another slot, too, until Release.
struct Adopt {
  uint32_t slot = 0;
};
struct Release {
  uint32_t slot = 0;
};

// Worker to coordinator, after it bound: its listeners as descriptors, for the slot to keep. The worker of a program
// says so again for each address that the program adds.
struct Bound {};
// Worker to coordinator: can serve from now on.
struct Ready {
  bool http = true;  // its app speaks HTTP: it can be probed
};
// Worker to coordinator, whose program had made it Ready: that has ended, or could not be started
// again, also not in time. It keeps its clients and waits for StartProgram, whatever the
// coordinator makes of it.
struct ProgramEnded {
  bool clean = false;      // exit code 0
  int32_t exit_code = -1;  // 0 to 255; -1: a signal, or there was no exit
  std::string reason;      // "exited with code 3", "killed by SIGSEGV"; cut to 1,000 bytes
};
// Coordinator to worker: start your program again. Ready or ProgramEnded follows. Nothing is to be
// done about it while the program starts; when it serves, Ready is said again: a new coordinator
// may not know.
struct StartProgram {};
// Worker to coordinator: its program wants to listen on `address`. Port 0: the `ordinal`-th time that it did not
// mind which. Claimed answers; all workers are given the same.
struct Claim {
  uint32_t id = 0;
  uint32_t ordinal = 0;
  bool dual_stack = false;  // IPv6: takes IPv4 as well
  std::string address;
};
// Coordinator to worker. `error`: errno, then `address` is why; else the port is resolved. To a worker that has its
// program behind it (not a launcher, which binds itself) the slot's listener comes along, bound.
struct Claimed {
  uint32_t id = 0;
  uint32_t error = 0;
  std::string address;
};
// Worker to coordinator: cannot start; exits next.
struct Refused {
  bool operator_fault = false;
  std::string reason;  // cut to 1,000 bytes
};

// Worker to a new coordinator that knocked at its door: one Hello, one Holds for each adopted slot, HelloEnd.
enum class Phase : uint8_t {
  kReady = 1,
  kServing = 2,
  kDraining = 3,
  kRestarting = 4,  // its program has ended and does not serve again yet
};
// Descriptors: the inbox's writing end, the reports that the worker writes into (the file may have lost its name since),
// then `steering` ones, then the slot's listeners.
struct Hello {
  uint32_t slot = 0;
  uint32_t generation = 0;
  Phase phase = Phase::kServing;
  uint16_t steering = 0;
};
inline constexpr size_t kHelloDescriptors = 2;  // before steering and listeners
// Descriptors: the adopted slot's listeners.
struct Holds {
  uint32_t slot = 0;
};
struct HelloEnd {};

using Message =
    std::variant<Assign, Admit, Serve, Drain, Give, Reopen, Adopt, Release, Bound, Ready, Refused,
                 Hello, Holds, HelloEnd, Claim, Claimed, ProgramEnded, StartProgram>;

// Fixed-width little-endian fields behind {version, type}. Never larger than kMessageBytesMax.
std::string Encode(const Message& message);
// InvalidArgument for other versions, unknown types, short or long bodies.
absl::StatusOr<Message> Decode(absl::string_view bytes);

}  // namespace uc::link

#endif  // CORE_LINK_MESSAGE_H_
