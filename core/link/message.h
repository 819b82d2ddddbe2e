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

inline constexpr uint32_t kVersion = 1;
inline constexpr int kWorkerLinkFd = 3;  // where an exec'd worker finds its end
inline constexpr size_t kMessageBytesMax = 4096;
inline constexpr size_t kDescriptorsMax = 64;  // per message; so also listen addresses per cluster

// Coordinator to worker; the first message, sent before the worker runs. Descriptors: the scoreboard,
// then the slot's listeners in the order of the listen addresses, or none: bind yourself.
struct Assign {
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t row = 0;  // in the scoreboard
  // The cluster's addresses with port 0 resolved by an earlier worker; empty: use the command line's.
  std::vector<std::string> addresses;
};
enum class DrainKind : uint8_t { kHandOver = 1, kRetire = 2, kPrompt = 3 };
struct Drain {
  DrainKind kind = DrainKind::kHandOver;
  uint32_t within_ms = 0;
};
// Coordinator to worker: the log file was opened again; the descriptor that comes along is the new stderr.
struct Reopen {};

// Coordinator to worker: take connections from these listeners, too. They are the sockets of a slot that was
// retired: closing them would reset what is queued and half-open there.
struct Adopt {};

// Worker to coordinator, after it bound: its listeners as descriptors, for the slot to keep.
struct Bound {};
// Worker to coordinator: serving from now on.
struct Ready {};
// Worker to coordinator: cannot start; exits next.
struct Refused {
  bool operator_fault = false;
  std::string reason;  // cut to 1,000 bytes
};

using Message = std::variant<Assign, Drain, Reopen, Adopt, Bound, Ready, Refused>;

// Fixed-width little-endian fields behind {version, type}. Never larger than kMessageBytesMax.
std::string Encode(const Message& message);
// InvalidArgument for other versions, unknown types, short or long bodies.
absl::StatusOr<Message> Decode(absl::string_view bytes);

}  // namespace uc::link

#endif  // CORE_LINK_MESSAGE_H_
