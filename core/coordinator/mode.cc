#include "core/coordinator/mode.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/small_file.h"
#include "core/net/bpf_capability.h"

namespace uc::coordinator {
namespace {

constexpr char kMigrateFile[] = "/proc/sys/net/ipv4/tcp_migrate_req";
constexpr char kMigrateCure[] = "sysctl -w net.ipv4.tcp_migrate_req=1, Linux 5.14";

bool KernelMigrates() { return ReadSmallFile(kMigrateFile) == "1"; }

Mode FullMode(net::Steering steering) {
  Mode mode;
  mode.kind = ModeKind::kFull;
  mode.balance = steering.balance();
  mode.text = absl::StrCat("full: a BPF program steers new connections (",
                           net::ToString(mode.balance), "), queues move when a slot goes");
  mode.steering.emplace(std::move(steering));
  return mode;
}

// Without a program of ours. `why_not_full`: for the operator who wonders.
Mode LesserMode(ModeKind kind, const ModeRequest& request, absl::string_view why_not_full) {
  Mode mode;
  mode.kind = kind;
  const net::Balance wanted = request.balance.value_or(net::Balance::kHash);
  mode.balance = wanted == net::Balance::kRandom ? wanted : net::Balance::kHash;
  const absl::string_view how =
      mode.balance == net::Balance::kRandom
          ? "chance spreads new connections over the slots' sockets"
          : "the kernel's hash spreads new connections over the slots' sockets";
  const absl::string_view queues = kind == ModeKind::kMigrate
                                       ? "queues move when a slot goes"
                                       : "the sockets of a slot that goes are held and adopted";
  mode.text = absl::StrCat(ToString(kind), ": ", how, ", ", queues, " (", why_not_full, ")");
  if (wanted != mode.balance) {
    mode.notes.push_back(absl::StrCat("--balance=", net::ToString(wanted), " needs mode full, and ",
                                      why_not_full, ": the kernel's hash is used"));
  }
  return mode;
}

// Nobody gets mode migrate unasked: the kernel loses a connection whose handshake ends in the very moment when the
// listener is shut down (inet_csk_reqsk_queue_add() finds it closed), and nothing steers new ones away before.
// Holding and adopting has no such moment.
ModeKind LesserKind(const ModeRequest& request) {
  return request.kind == ModeKind::kMigrate && KernelMigrates() ? ModeKind::kMigrate
                                                                : ModeKind::kPlain;
}

}  // namespace

absl::string_view ToString(ModeKind kind) {
  switch (kind) {
    case ModeKind::kFull:
      return "full";
    case ModeKind::kMigrate:
      return "migrate";
    case ModeKind::kPlain:
      return "plain";
  }
  return "?";
}

absl::StatusOr<std::optional<ModeKind>> ParseMode(absl::string_view text) {
  if (text == "auto") return std::optional<ModeKind>();
  for (const ModeKind kind : {ModeKind::kFull, ModeKind::kMigrate, ModeKind::kPlain}) {
    if (text == ToString(kind)) return std::optional<ModeKind>(kind);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--mode=", text.substr(0, 40), ": expected auto, full, migrate or plain"));
}

absl::StatusOr<Mode> ChooseMode(const ModeRequest& request, size_t addresses, uint32_t workers) {
  const bool any = !request.kind.has_value();
  std::string why_not_full = "--mode says so";
  if (any || request.kind == ModeKind::kFull) {
    absl::StatusOr<net::Steering> steering =
        addresses == 0
            ? absl::FailedPreconditionError(
                  "a program's own addresses are not known beforehand, --listen tells them")
        : workers > net::kSteeredSlotsMax
            ? absl::FailedPreconditionError(
                  absl::StrCat("steering knows ", int{net::kSteeredSlotsMax}, " slots at most"))
            : net::Steering::Load(request.balance.value_or(net::Balance::kLeastConnections),
                                  addresses);
    if (steering.ok()) {
      net::DropBpfCapability();
      return FullMode(*std::move(steering));
    }
    if (!any) {
      return absl::FailedPreconditionError(
          absl::StrCat("--mode=full: ", steering.status().message()));
    }
    why_not_full = absl::IsPermissionDenied(steering.status())
                       ? "no CAP_BPF"
                       : std::string(steering.status().message());
  }
  if (request.kind == ModeKind::kMigrate && !KernelMigrates()) {
    return absl::FailedPreconditionError(
        absl::StrCat("--mode=migrate: net.ipv4.tcp_migrate_req is not 1 (", kMigrateCure, ")"));
  }
  return LesserMode(LesserKind(request), request, why_not_full);
}

absl::StatusOr<Mode> InheritMode(const ModeRequest& request, std::vector<Fd> steering) {
  if (steering.empty()) {
    return LesserMode(LesserKind(request), request, "as it was before this coordinator");
  }
  absl::StatusOr<net::Steering> recovered = net::Steering::Recover(std::move(steering));
  if (!recovered.ok()) return recovered.status();
  net::DropBpfCapability();
  return FullMode(*std::move(recovered));
}

}  // namespace uc::coordinator
