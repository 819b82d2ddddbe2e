#include "core/coordinator/coordinator.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/coordinator/cluster.h"
#include "core/coordinator/control_pipe.h"
#include "core/coordinator/run_directory.h"
#include "core/coordinator/service_notice.h"

namespace uc::coordinator {
namespace {

constexpr int kSignals[] = {SIGTTIN, SIGTTOU, SIGHUP, SIGUSR1, SIGUSR2,
                            SIGQUIT, SIGTERM, SIGINT, SIGCHLD};
// Which of DESIGN.md's modes is in force, and why.
constexpr absl::string_view kMode =
    "plain: the kernel's hash spreads connections over the slots' own sockets (needs no privilege)";
// The kernel tears a killed worker's ring down some milliseconds after the process has ended, and until then
// its listener is alive; nothing tells when. Who starts at once after a kill would be told "in use".
constexpr absl::Duration kDyingRingPatience = absl::Milliseconds(250);
constexpr int kProbePeriodMs = 5;
constexpr rlim_t kDescriptorReserve =
    32;  // standard streams, control, scoreboard, replies, /proc reads

absl::StatusOr<Fd> BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return absl::ErrnoToStatus(errno, "sigprocmask");
  signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

// A slot costs the coordinator its listeners, and a link and a pidfd for each of its two workers.
absl::Status CheckDescriptors(const CoordinatorOptions& options) {
  rlimit limit;
  UC_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t needed =
      kDescriptorReserve + options.supervisor.workers * (options.addresses.size() + 2) + 2;
  if (limit.rlim_cur >= needed) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("too few file descriptors: ", options.supervisor.workers, " workers need ",
                   needed, " in the coordinator, the limit is ", limit.rlim_cur,
                   "; raise it (ulimit -n, LimitNOFILE=) or take fewer workers"));
}

// Claims every address for the life of the cluster: a bound socket that never listens gets no
// connections, resolves port 0 once for all workers and keeps strangers out while no worker is there.
absl::StatusOr<std::vector<Fd>> ClaimAddresses(const CoordinatorOptions& options,
                                               std::vector<net::Address>* resolved) {
  std::vector<Fd> claims;
  const absl::Time until = MonotonicNow() + kDyingRingPatience;
  for (const net::Address& address : options.addresses) {
    absl::Status status = net::ProbeFree(address);
    while (absl::IsAlreadyExists(status) && MonotonicNow() < until) {
      poll(nullptr, 0, kProbePeriodMs);
      status = net::ProbeFree(address);
    }
    if (!status.ok()) return status;
  }
  for (const net::Address& address : options.addresses) {
    absl::StatusOr<Fd> claim = net::Bind(address, options.listen);
    if (!claim.ok()) return claim.status();
    absl::StatusOr<net::Address> local = net::LocalAddress(*claim);
    if (!local.ok()) return local.status();
    resolved->push_back(*local);
    claims.push_back(*std::move(claim));
  }
  return claims;
}

void FillHeader(const CoordinatorOptions& options, const std::vector<net::Address>& addresses,
                scoreboard::Scoreboard& board) {
  scoreboard::Header& header = board.layout().header;
  header.coordinator_pid.store(getpid());
  header.started_unix_ns = absl::GetCurrentTimeNanos();
  header.started_ns = MonotonicNanos();
  scoreboard::SetText(header.name, sizeof(header.name), options.name);
  scoreboard::SetText(header.app, sizeof(header.app), options.app_text);
  scoreboard::SetText(header.binary, sizeof(header.binary), options.binary);
  scoreboard::SetText(header.command_line, sizeof(header.command_line), options.command_line);
  scoreboard::SetText(header.mode, sizeof(header.mode), kMode);
  scoreboard::SetText(
      header.addresses, sizeof(header.addresses),
      absl::StrJoin(addresses, " ", [](std::string* out, const net::Address& address) {
        out->append(address.ToString());
      }));
}

std::optional<policy::Command> ToCommand(int signal, bool stopping) {
  using policy::Scale;
  using policy::Stop;
  using policy::StopKind;
  switch (signal) {
    case SIGTTIN:
      return Scale{Scale::Kind::kRelative, +1};
    case SIGTTOU:
      return Scale{Scale::Kind::kRelative, -1};
    case SIGHUP:
      return policy::Reload{};
    case SIGUSR1:
      return policy::ReopenLogs{};
    case SIGQUIT:
      return Stop{StopKind::kGraceful};
    case SIGTERM:
    case SIGINT:
      return Stop{stopping ? StopKind::kAtOnce : StopKind::kPrompt};
    default:
      return std::nullopt;
  }
}

// The ppoll loop: one turn = wait, then feed what happened.
class Coordinator {
 public:
  Coordinator(const CoordinatorOptions& options, RunDirectory& directory, Cluster& cluster,
              Fd signals)
      : options_(options),
        directory_(directory),
        cluster_(cluster),
        signals_(std::move(signals)),
        pipe_(directory.control().get()) {}

  policy::Finish Run() {
    cluster_.Start(MonotonicNow());
    while (!cluster_.finish().has_value()) Turn();
    return *cluster_.finish();
  }

 private:
  // Descriptors 0 and 1 are ours, then two per process: pidfd and link, in the order of `generations_`.
  static constexpr size_t kFixed = 2;

  void Turn() {
    Watch();
    const timespec timeout = absl::ToTimespec(TimeLeft());
    if (ppoll(watched_.data(), watched_.size(), &timeout, nullptr) < 0) {
      // EINTR: a stop and continue of us. Anything else would be a fault of ours.
      UC_CHECK(errno == EINTR);
      return;
    }
    const absl::Time now = MonotonicNow();
    for (size_t i = 0; i < generations_.size(); ++i) {
      // Links first: READY before death, as it was said.
      if (watched_[kFixed + 2 * i + 1].revents != 0) cluster_.OnLinkReadable(now, generations_[i]);
      if (watched_[kFixed + 2 * i].revents != 0) cluster_.OnExit(now, generations_[i]);
    }
    if (watched_[0].revents != 0) ReadSignals(now);
    if (watched_[1].revents != 0) ReadControl(now);
    if (now >= health_due_) {
      cluster_.ObserveHealth(now);
      health_due_ = now + HealthPeriod();
    }
    if (now >= cluster_.supervisor().NextDeadline()) cluster_.Handle(now, policy::Woke{});
  }

  void Watch() {
    watched_ = {{signals_.get(), POLLIN, 0}, {directory_.control().get(), POLLIN, 0}};
    generations_.clear();
    for (const auto& [generation, process] : cluster_.processes()) {
      generations_.push_back(generation);
      watched_.push_back({process.pidfd.get(), POLLIN, 0});
      // poll(2) skips negative descriptors.
      watched_.push_back({process.channel.has_value() ? process.channel->fd() : -1, POLLIN, 0});
    }
  }

  absl::Duration TimeLeft() const {
    const absl::Time due = std::min(cluster_.supervisor().NextDeadline(), health_due_);
    return std::clamp(due - MonotonicNow(), absl::ZeroDuration(), absl::Hours(1));
  }

  absl::Duration HealthPeriod() const {
    if (options_.hang_timeout == absl::InfiniteDuration()) return absl::InfiniteDuration();
    return std::clamp(options_.hang_timeout / 8, absl::Milliseconds(20), absl::Seconds(1));
  }

  void ReadSignals(absl::Time now) {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) {
        ReapStrangers(now);
        continue;
      }
      const absl::string_view name = sigabbrev_np(signal);
      const std::optional<policy::Command> command =
          ToCommand(signal, cluster_.supervisor().stopping());
      if (!command.has_value()) {
        LogWarning(absl::StrCat("signal SIG", name, " is not supported by this version: ignored"));
        continue;
      }
      LogInfo(absl::StrCat("signal SIG", name, ": ", policy::ToString(*command)));
      cluster_.Give(now, *command, Reply());
    }
  }

  // As process 1 of a container, orphans of anybody become our children.
  void ReapStrangers(absl::Time now) {
    siginfo_t info;
    for (info.si_pid = 0;
         waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
         info.si_pid = 0) {
      const auto& processes = cluster_.processes();
      const auto ours = std::find_if(processes.begin(), processes.end(), [&](const auto& entry) {
        return entry.second.pid == info.si_pid;
      });
      if (ours != processes.end()) {
        cluster_.OnExit(now, ours->first);
      } else {
        waitpid(info.si_pid, nullptr, WNOHANG);
      }
    }
  }

  void ReadControl(absl::Time now) {
    int overlong = 0;
    const std::vector<std::string> lines = pipe_.ReadLines(&overlong);
    for (const std::string& line : lines) {
      std::string ticket;
      const absl::StatusOr<policy::CommandLine> command = policy::ParseCommandLine(line, &ticket);
      Reply reply = ticket.empty() ? Reply() : Reply::Open(directory_.reply_path(ticket));
      if (!ticket.empty() && !reply.open())
        Complain(now, "nobody can be answered at a given ticket");
      reply.Accepted();
      if (!command.ok()) {
        reply.End(policy::Outcome::kRefused, command.status().message());
        Complain(now, command.status().message());
        continue;
      }
      cluster_.Give(now, command->command, std::move(reply));
    }
    if (overlong > 0) Complain(now, "a line longer than 511 bytes was dropped");
  }

  // Garbage in the pipe gets one line a second, not one each.
  void Complain(absl::Time now, absl::string_view what) {
    ++complaints_;
    if (now < complain_after_) return;
    LogWarning(
        absl::StrCat("control pipe: ", what,
                     complaints_ > 1 ? absl::StrCat(" (and ", complaints_ - 1, " more)") : ""));
    complaints_ = 0;
    complain_after_ = now + absl::Seconds(1);
  }

  const CoordinatorOptions& options_;
  RunDirectory& directory_;
  Cluster& cluster_;
  Fd signals_;
  ControlPipe pipe_;
  std::vector<pollfd> watched_;
  std::vector<policy::Generation> generations_;
  absl::Time health_due_ = absl::InfinitePast();
  absl::Time complain_after_ = absl::InfinitePast();
  uint64_t complaints_ = 0;
};

}  // namespace

absl::StatusOr<Ending> RunCoordinator(const CoordinatorOptions& options) {
  if (absl::Status status = CheckDescriptors(options); !status.ok()) return status;
  absl::StatusOr<RunDirectory> directory = RunDirectory::Take(options.directory);
  if (!directory.ok()) return directory.status();
  const auto give_up = [&](absl::Status status) {
    directory->Remove();
    return status;
  };

  std::vector<net::Address> addresses;
  const absl::StatusOr<std::vector<Fd>> claims = ClaimAddresses(options, &addresses);
  if (!claims.ok()) return give_up(claims.status());
  absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::Create(directory->scoreboard_path());
  if (!board.ok()) return give_up(board.status());
  FillHeader(options, addresses, *board);
  absl::StatusOr<Fd> signals = BlockSignals();
  if (!signals.ok()) return give_up(signals.status());

  LogInfo(absl::StrCat("mode ", kMode));
  Cluster cluster(options, std::move(addresses), *std::move(board));
  const policy::Finish finish =
      Coordinator(options, *directory, cluster, *std::move(signals)).Run();
  directory->Remove();
  return Ending{finish.exit_code, finish.text};
}

}  // namespace uc::coordinator
