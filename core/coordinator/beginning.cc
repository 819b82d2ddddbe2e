#include "core/coordinator/beginning.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/core_pin.h"
#include "core/base/log.h"
#include "core/coordinator/claims.h"
#include "core/coordinator/former_workers.h"
#include "core/coordinator/mode.h"
#include "core/coordinator/reply.h"
#include "core/coordinator/ring_allotment.h"
#include "core/net/listener.h"
#include "core/net/steering.h"

namespace uc::coordinator {
namespace {

// The kernel tears a killed worker's ring down some milliseconds after the process has ended, and until then
// its listener is alive; nothing tells when. Who starts at once after a kill would be told "in use".
constexpr absl::Duration kDyingRingPatience = absl::Milliseconds(250);
constexpr int kProbePeriodMs = 5;
constexpr absl::Duration kRetireGrace = absl::Seconds(1);

// Nobody else has them.
absl::Status ProbeAddresses(const std::vector<net::Address>& addresses) {
  const absl::Time until = MonotonicNow() + kDyingRingPatience;
  for (const net::Address& address : addresses) {
    absl::Status status = net::ProbeFree(address);
    while (absl::IsAlreadyExists(status) && MonotonicNow() < until) {
      poll(nullptr, 0, kProbePeriodMs);
      status = net::ProbeFree(address);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Claims every address for the life of the cluster: a bound socket that never listens gets no
// connections, resolves port 0 once for all workers and keeps strangers out while no worker is there.
absl::StatusOr<std::vector<Fd>> ClaimAddresses(const std::vector<net::Address>& addresses,
                                               const net::ListenOptions& listen,
                                               std::vector<net::Address>* resolved) {
  std::vector<Fd> claims;
  for (const net::Address& address : addresses) {
    absl::StatusOr<Fd> claim = net::Bind(address, listen);
    if (!claim.ok()) return claim.status();
    absl::StatusOr<net::Address> local = net::LocalAddress(*claim);
    if (!local.ok()) return local.status();
    resolved->push_back(*local);
    claims.push_back(*std::move(claim));
  }
  return claims;
}

std::string JoinAddresses(const std::vector<net::Address>& addresses) {
  return absl::StrJoin(addresses, " ", [](std::string* out, const net::Address& address) {
    out->append(address.ToString());
  });
}

std::vector<net::Address> JoinAll(std::vector<net::Address> all,
                                  const std::vector<net::Address>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void FillHeader(const CoordinatorOptions& options, const std::vector<net::Address>& addresses,
                const Mode& mode, scoreboard::Scoreboard& board) {
  scoreboard::Header& header = board.layout().header;
  header.coordinator_pid.store(getpid());
  if (header.coordinators.fetch_add(1) == 0) {
    header.started_unix_ns = absl::GetCurrentTimeNanos();
    header.started_ns = MonotonicNanos();
  }
  header.program.store(static_cast<uint32_t>(options.kind));
  header.program_user.store(options.serves_as_id.value_or(geteuid()));
  scoreboard::SetText(header.name, sizeof(header.name), options.name);
  scoreboard::SetText(header.app, sizeof(header.app), options.app_text);
  scoreboard::SetText(header.binary, sizeof(header.binary), options.binary);
  scoreboard::SetText(header.command_line, sizeof(header.command_line), options.command_line);
  scoreboard::SetText(header.mode, sizeof(header.mode), mode.text);
  scoreboard::SetText(header.balance, sizeof(header.balance), net::ToString(mode.balance));
  scoreboard::SetText(header.addresses, sizeof(header.addresses), JoinAddresses(addresses));
}

// What the mode in force means for decisions.
policy::SupervisorOptions ToPolicy(policy::SupervisorOptions options, const Mode& mode) {
  switch (mode.kind) {
    case ModeKind::kFull:
      options.workers_max = net::kSteeredSlotsMax;
      options.retirement = policy::Retirement::kMigrate;
      options.retire_grace = kRetireGrace;
      break;
    case ModeKind::kMigrate:
      // The kernel's hash goes on sending new connections until the listener goes: grace would not help.
      options.retirement = policy::Retirement::kMigrate;
      break;
    case ModeKind::kPlain:
      options.retirement = policy::Retirement::kHold;
      break;
  }
  return options;
}

void TellOfSharedCores(const CoordinatorOptions& options) {
  const size_t cores = AllowedCores().size();
  if (!options.cpu_affinity || options.supervisor.workers <= cores) return;
  LogWarning(absl::StrCat("--cpu-affinity: ", options.supervisor.workers, " workers share ", cores,
                          " cores, which is pinned and not balanced; take as many as there are"));
}

void TellWhoServes(const CoordinatorOptions& options) {
  if (!options.serves_as.empty()) LogInfo(absl::StrCat("workers serve as ", options.serves_as));
}

// As the scoreboard says, unless that is noise.
uint32_t WorkersWanted(const CoordinatorOptions& options, const Mode& mode,
                       const scoreboard::Header& header) {
  const uint32_t most = ToPolicy(options.supervisor, mode).workers_max;
  const uint32_t wanted = header.workers_wanted.load();
  return wanted >= 1 && wanted <= most ? wanted : std::clamp(options.supervisor.workers, 1u, most);
}

std::vector<Fd> TakeSteering(std::vector<FormerWorker>& workers, const UpgradeState* upgrade) {
  std::vector<Fd> steering;
  if (upgrade != nullptr) {
    for (const int fd : upgrade->steering) steering.emplace_back(fd);
  }
  for (FormerWorker& worker : workers) {
    if (steering.empty()) steering = std::move(worker.steering);
  }
  return steering;
}

}  // namespace

absl::StatusOr<std::vector<net::Address>> AddressesInForce(const CoordinatorOptions& options,
                                                           const scoreboard::Header& header) {
  const std::string text(scoreboard::GetText(header.addresses, sizeof(header.addresses)));
  std::vector<net::Address> addresses;
  for (const absl::string_view one : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    absl::StatusOr<net::Address> address = net::Address::Parse(one);
    if (!address.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(options.directory, "/scoreboard: is damaged (", address.status().message(),
                       "), and workers of cluster ", options.name,
                       " still serve; end them with 'uring-cluster stop ", options.name, "'"));
    }
    addresses.push_back(*address);
  }
  const auto fits = [](const net::Address& wanted, const net::Address& present) {
    return wanted == present || (wanted.port() == 0 && wanted.family() == present.family());
  };
  // A program's own come behind those of --listen.
  const size_t count = options.addresses.size();
  if ((options.program() ? addresses.size() >= count : addresses.size() == count) &&
      std::equal(options.addresses.begin(), options.addresses.end(), addresses.begin(), fits)) {
    addresses.resize(count);
    return addresses;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("workers of a coordinator that died still serve cluster ", options.name, " on ",
                   text, ", not on ", JoinAddresses(options.addresses),
                   "; start it with the same --listen, or end them with 'uring-cluster stop'"));
}

absl::Status CheckUnderstood(const CoordinatorOptions& options,
                             const absl::StatusOr<scoreboard::Scoreboard>& board) {
  if (board.ok()) {
    const absl::StatusOr<size_t> left = CountSurvivors(options.directory, &board->layout());
    if (!left.ok()) return left.status();
    if (*left == 0) return absl::OkStatus();
    return AddressesInForce(options, board->layout().header).status();
  }
  const absl::StatusOr<size_t> kept = CountSurvivors(options.directory, nullptr);
  if (!kept.ok()) return kept.status();
  const size_t doors = *kept;
  if (doors == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(doors, doors == 1 ? " worker" : " workers", " of a coordinator that died still ",
                   doors == 1 ? "serves" : "serve", " cluster ", options.name, ", and ",
                   board.status().message(), "; or end ", doors == 1 ? "it" : "them",
                   " with 'uring-cluster stop ", options.name, "'"));
}

absl::Status Beginning::Afresh(const RunDirectory& directory) {
  if (!options_.launches()) {
    absl::Status status = CheckLockedMemory(options_.supervisor);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ProbeAddresses(options_.addresses); !status.ok()) return status;
  std::vector<net::Address> addresses;
  absl::StatusOr<std::vector<Fd>> claims =
      ClaimAddresses(options_.addresses, options_.listen, &addresses);
  if (!claims.ok()) return claims.status();
  claims_ = *std::move(claims);
  absl::StatusOr<Mode> mode = ChooseMode(
      options_.mode, options_.fronts() && addresses.empty() ? kLateAddresses : addresses.size(),
      options_.supervisor.workers);
  if (!mode.ok()) return mode.status();
  absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::Create(directory.scoreboard_path());
  if (!board.ok()) return board.status();
  FillHeader(options_, addresses, *mode, *board);
  LogInfo(absl::StrCat("mode ", mode->text));
  for (const std::string& note : mode->notes) LogWarning(note);
  TellWhoServes(options_);
  TellOfSharedCores(options_);
  options_.supervisor = ToPolicy(options_.supervisor, *mode);
  cluster_ = std::make_unique<Cluster>(options_, std::move(addresses), *std::move(mode),
                                       *std::move(board), std::move(watch_));
  cluster_->Start(MonotonicNow());
  return absl::OkStatus();
}

absl::Status Beginning::GoOn(scoreboard::Scoreboard board, Greeted greeted,
                             const UpgradeState* upgrade) {
  const absl::StatusOr<std::vector<net::Address>> in_force =
      AddressesInForce(options_, board.layout().header);
  if (!in_force.ok()) return in_force.status();
  std::vector<net::Address> addresses;
  absl::StatusOr<std::vector<Fd>> claims = ClaimAddresses(*in_force, options_.listen, &addresses);
  if (!claims.ok()) return claims.status();
  claims_ = *std::move(claims);
  Claims claimed;
  claimed.Restore(
      scoreboard::GetText(board.layout().header.claims, sizeof(scoreboard::Header::claims)),
      MonotonicNow());
  absl::StatusOr<Mode> mode = InheritMode(options_.mode, TakeSteering(greeted.workers, upgrade));
  if (!mode.ok()) return mode.status();
  for (const auto& [slot, connections] : greeted.lost) {
    if (!mode->steering.has_value() || slot >= net::kSteeredSlotsMax) continue;
    const auto same_slot = [slot = slot](const FormerWorker& worker) {
      return worker.found.worker.slot == slot;
    };
    if (std::none_of(greeted.workers.begin(), greeted.workers.end(), same_slot)) {
      mode->steering->ForgetAllLoad(slot);
    } else {
      mode->steering->ForgetLoad(slot, connections);
    }
  }
  FillHeader(options_, JoinAll(addresses, claimed.addresses()), *mode, board);
  LogInfo(absl::StrCat("mode ", mode->text));
  for (const std::string& note : mode->notes) LogWarning(note);
  TellWhoServes(options_);
  if (!board.reports_trouble().empty()) {
    LogWarning(absl::StrCat(board.reports_trouble(),
                            "; it is made anew, and figures of workers that have ended since are "
                            "lost; those that are there report on"));
  }
  const uint32_t wanted = WorkersWanted(options_, *mode, board.layout().header);
  if (upgrade == nullptr && options_.workers_given && options_.supervisor.workers != wanted) {
    LogWarning(absl::StrCat("-i ", options_.supervisor.workers, " is not applied: the cluster has ",
                            wanted, " workers; use 'uring-cluster scale'"));
  }
  options_.supervisor = ToPolicy(options_.supervisor, *mode);
  options_.supervisor.workers = wanted;
  board.layout().header.workers_wanted.store(wanted);
  SetApart(greeted, options_.supervisor.workers_max);
  SendAway(greeted, board.layout(), options_.supervisor.kill_timeout);
  cluster_ = std::make_unique<Cluster>(options_, std::move(addresses), *std::move(mode),
                                       std::move(board), std::move(watch_), std::move(claimed));
  std::map<policy::SlotIndex, std::vector<Fd>> listeners;
  Reply reply;
  if (upgrade != nullptr) {
    for (const auto& [slot, descriptors] : upgrade->listeners) {
      for (const int fd : descriptors) listeners[slot].emplace_back(fd);
    }
    if (upgrade->reply >= 0) reply = Reply::Continue(Fd(upgrade->reply));
  }
  cluster_->Resume(MonotonicNow(), std::move(greeted.workers), std::move(listeners),
                   std::move(reply));
  return absl::OkStatus();
}

}  // namespace uc::coordinator
