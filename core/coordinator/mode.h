// Mode: how far the kernel helps this cluster (DESIGN.md 5), chosen once at start by what is permitted.
//
//   full     a BPF program steers new connections and queues move when a slot goes: CAP_BPF at start, then dropped
//   migrate  the kernel's hash steers, queues move: net.ipv4.tcp_migrate_req=1
//   plain    the kernel's hash steers, listeners are held and adopted: no privilege at all
#ifndef CORE_COORDINATOR_MODE_H_
#define CORE_COORDINATOR_MODE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/net/steering.h"

namespace uc::coordinator {

enum class ModeKind { kFull, kMigrate, kPlain };
absl::string_view ToString(ModeKind kind);
// "full", "migrate", "plain"; "auto" is nullopt.
absl::StatusOr<std::optional<ModeKind>> ParseMode(absl::string_view text);

struct ModeRequest {
  std::optional<ModeKind> kind;         // nullopt: full if it can be had, else plain
  std::optional<net::Balance> balance;  // nullopt: the best of the mode
};

struct Mode {
  ModeKind kind = ModeKind::kPlain;
  net::Balance balance = net::Balance::kHash;
  std::string text;                // "plain: ..., because ...": one line for the log and `describe`
  std::vector<std::string> notes;  // what was asked for and cannot be had, a line each
  std::optional<net::Steering> steering;  // of kFull
};

// Places of steering for the addresses of a program that says itself where it listens; more are spread by the hash.
inline constexpr size_t kLateAddresses = 4;

// Loads the steering program and gives CAP_BPF up. FailedPrecondition: `kind` was asked for and cannot be had.
absl::StatusOr<Mode> ChooseMode(const ModeRequest& request, size_t addresses, uint32_t workers);

// Of a cluster that serves already: full with the steering descriptors that its workers kept, else what this
// machine has.
absl::StatusOr<Mode> InheritMode(const ModeRequest& request, std::vector<Fd> steering);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_MODE_H_
