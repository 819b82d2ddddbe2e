#include "core/coordinator/coordinator.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
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
#include "core/coordinator/beginning.h"
#include "core/coordinator/cluster.h"
#include "core/coordinator/control_pipe.h"
#include "core/coordinator/descriptor_bound.h"
#include "core/coordinator/descriptor_reserve.h"
#include "core/coordinator/former_workers.h"
#include "core/coordinator/left_programs.h"
#include "core/coordinator/process_watch.h"
#include "core/coordinator/roll_trigger.h"
#include "core/coordinator/run_directory.h"
#include "core/coordinator/upgrade.h"

namespace uc::coordinator {
namespace {

constexpr absl::Duration kDirectoryPeriod = absl::Milliseconds(900);
constexpr absl::Duration kRepliesPeriod = absl::Seconds(10);
constexpr absl::Duration kGreetingPatience = absl::Seconds(2);
constexpr absl::Duration kLeftPatience = absl::Seconds(10);

constexpr int kSignals[] = {SIGTTIN, SIGTTOU, SIGHUP, SIGUSR1, SIGUSR2,
                            SIGQUIT, SIGTERM, SIGINT, SIGCHLD};

constexpr size_t kReserve = 4;  // descriptors for replies

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
    case SIGUSR2:
      return policy::UpgradeSelf{};
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
              RollTrigger trigger, Fd signals, DescriptorReserve reserve)
      : options_(options),
        directory_(directory),
        cluster_(cluster),
        trigger_(std::move(trigger)),
        signals_(std::move(signals)),
        reserve_(std::move(reserve)),
        pipe_(directory.control().get()) {}

  policy::Finish Run() {
    while (!cluster_.finish().has_value()) Turn();
    return *cluster_.finish();
  }

 private:
  enum class Source { kProcesses, kSignals, kControl, kRehearsal, kTrigger, kProbe };
  struct Watched {
    Source source;
    policy::Generation generation = 0;
  };

  void Turn() {
    Watch();
    const timespec timeout = absl::ToTimespec(TimeLeft());
    if (ppoll(polled_.data(), polled_.size(), &timeout, nullptr) < 0) {
      // EINTR: a stop and continue of us. Anything else would be a fault of ours.
      UC_CHECK(errno == EINTR);
      return;
    }
    const absl::Time now = MonotonicNow();
    for (size_t i = 0; i < watched_.size(); ++i) {
      if (polled_[i].revents != 0) OnReadable(now, watched_[i]);
    }
    for (size_t i = watched_.size(); i < polled_.size(); ++i) {
      if (polled_[i].revents != 0) cluster_.Stir(now);
    }
    if (now >= cluster_.rehearsal_deadline()) {
      cluster_.OnRehearsal(now, directory_.lock(), directory_.control());
    }
    if (now >= cluster_.health_due()) {
      cluster_.output().Tend(now);
      cluster_.Tidy(now);
      cluster_.ObserveHealth(now);
    }
    if (now >= directory_due_) TendDirectory(now);
    if (now >= cluster_.recycle_due()) cluster_.ObserveRecycling(now);
    if (now >= cluster_.claims_due()) cluster_.TendClaims(now);
    RollIfDue(now);
    if (now >= cluster_.supervisor().NextDeadline()) cluster_.Handle(now, policy::Woke{});
    if (now >= cluster_.log().due()) cluster_.log().TellDue(now);
    cluster_.TendLog();
    reserve_.Refill();
  }

  void OnReadable(absl::Time now, const Watched& watched) {
    switch (watched.source) {
      case Source::kSignals:
        return ReadSignals(now);
      case Source::kControl:
        return ReadControl(now);
      case Source::kRehearsal:
        return cluster_.OnRehearsal(now, directory_.lock(), directory_.control());
      case Source::kTrigger:
        return trigger_.OnReadable(now);
      case Source::kProcesses:
        return HearProcesses(now);
      case Source::kProbe:
        return cluster_.OnProbeReadable(now, watched.generation);
    }
  }

  void HearProcesses(absl::Time now) {
    for (const ProcessWatch::Ready& ready : cluster_.watch().Look()) {
      switch (ready.kind) {
        case ProcessWatch::Kind::kLink:
          cluster_.OnLinkReadable(now, ready.generation);
          break;
        case ProcessWatch::Kind::kExit:
          cluster_.OnExit(now, ready.generation);
          break;
      }
    }
  }

  void Watch() {
    polled_.clear();
    watched_.clear();
    const auto add = [this](int fd, Source source, policy::Generation generation = 0) {
      polled_.push_back({fd, POLLIN, 0});
      watched_.push_back({source, generation});
    };
    add(cluster_.watch().fd(), Source::kProcesses);
    for (const auto& [generation, probe] : cluster_.probes()) {
      add(probe.fd(), Source::kProbe, generation);
    }
    add(signals_.get(), Source::kSignals);
    add(directory_.control().get(), Source::kControl);
    if (trigger_.fd() >= 0) add(trigger_.fd(), Source::kTrigger);
    if (cluster_.rehearsal().has_value()) add(cluster_.rehearsal()->fd(), Source::kRehearsal);
    const absl::Span<const pollfd> stirring = cluster_.StirredBy();
    polled_.insert(polled_.end(), stirring.begin(), stirring.end());
  }

  absl::Duration TimeLeft() const {
    const absl::Time now = MonotonicNow();
    const absl::Time due = std::min({cluster_.supervisor().NextDeadline(), cluster_.health_due(),
                                     cluster_.rehearsal_deadline(), cluster_.recycle_due(),
                                     cluster_.claims_due(), cluster_.log().due()});
    const absl::Duration left = std::min(due - now, trigger_.TimeLeft(now, absl::Now(), rolling()));
    return std::clamp(left, absl::ZeroDuration(), absl::Hours(1));
  }

  Rolling rolling() const { return cluster_.supervisor().rolling() ? Rolling::kYes : Rolling::kNo; }

  // Somebody may clean it away: tmpfiles, logind at the last logout, an operator. It is looked at whenever we are awake,
  // at most once a second, and before a signal's command.
  void TendDirectory(absl::Time now) {
    directory_due_ = now + kDirectoryPeriod;
    const RunDirectory::Look look = directory_.Tend();
    if (look == RunDirectory::Look::kLost) {
      if (!std::exchange(directory_lost_, true)) {
        LogWarning(absl::StrCat(directory_.trouble().message(),
                                "; no command reaches the cluster until it can be made again, ",
                                "signals do"));
      }
      return;
    }
    if (now >= replies_due_ &&
        directory_.RemoveStaleReplies(absl::Now()) == RunDirectory::Left::kNone) {
      replies_due_ = now + kRepliesPeriod;
    }
    const bool has_board = directory_.Has("scoreboard", cluster_.scoreboard().fd()) &&
                           directory_.Has("scoreboard.reports", cluster_.scoreboard().reports_fd());
    if (look == RunDirectory::Look::kWhole && has_board) return;
    if (!has_board) {
      if (absl::Status status = cluster_.MakeAgain(); !status.ok()) {
        if (!std::exchange(directory_lost_, true)) LogWarning(status.message());
        return;
      }
    }
    directory_lost_ = false;
    if (options_.on_made_again) options_.on_made_again();
    LogWarning(absl::StrCat(directory_.path(), ": somebody has cleaned here; it is made again. A ",
                            "coordinator that comes after this one goes on only with workers that ",
                            "have their door: 'uring-cluster reload ", options_.name,
                            "' gives each of them one"));
  }

  void RollIfDue(absl::Time now) {
    const std::string why = trigger_.Fires(now, absl::Now(), rolling());
    if (why.empty() || cluster_.supervisor().stopping()) return;
    cluster_.log().Info(absl::StrCat(why, ": reload"));
    cluster_.Give(now, policy::Reload{}, Reply());
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
        cluster_.log().Warn(
            absl::StrCat("signal SIG", name, " is not supported by this version: ignored"));
        continue;
      }
      TendDirectory(now);
      cluster_.log().Info(absl::StrCat("signal SIG", name, ": ", policy::ToString(*command)));
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
        cluster_.output().OnExit(info.si_pid);
      }
    }
  }

  void ReadControl(absl::Time now) {
    int overlong = 0;
    const std::vector<std::string> lines = pipe_.ReadLines(&overlong);
    for (const std::string& line : lines) {
      reserve_.Refill();
      std::string ticket;
      const absl::StatusOr<policy::CommandLine> command = policy::ParseCommandLine(line, &ticket);
      Reply reply = ticket.empty() ? Reply() : Reply::Open(directory_.reply_path(ticket), reserve_);
      // A later surprise would be worse than a command that has to be given again.
      if (!ticket.empty() && !reply.open()) {
        Complain(now, absl::StrCat(command.ok() ? policy::ToString(command->command) : "a command",
                                   " is not carried out: nobody waits for its answer any more"));
        continue;
      }
      reply.Accepted();
      if (!command.ok()) {
        reply.End(policy::Outcome::kRefused, command.status().message());
        Complain(now, command.status().message());
        continue;
      }
      // The last one of the reserve does not wait for an outcome: the next command needs it. A stop is always given.
      if (reserve_.empty() && !std::holds_alternative<policy::Stop>(command->command)) {
        reply.End(
            policy::Outcome::kRefused,
            "no file descriptor is left to wait for the outcome of one more command; try again "
            "when the others have ended, or raise ulimit -n");
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
    cluster_.log().Warn(
        absl::StrCat("control pipe: ", what,
                     complaints_ > 1 ? absl::StrCat(" (and ", complaints_ - 1, " more)") : ""));
    complaints_ = 0;
    complain_after_ = now + absl::Seconds(1);
  }

  const CoordinatorOptions& options_;
  RunDirectory& directory_;
  Cluster& cluster_;
  RollTrigger trigger_;
  Fd signals_;
  DescriptorReserve reserve_;
  ControlPipe pipe_;
  std::vector<pollfd> polled_;  // first those of `watched_`, then listeners, while nothing happens
  std::vector<Watched> watched_;
  absl::Time directory_due_ = absl::InfinitePast();
  absl::Time replies_due_ = absl::InfinitePast();
  bool directory_lost_ = false;
  absl::Time complain_after_ = absl::InfinitePast();
  uint64_t complaints_ = 0;
};

void EndWhatIsLeftOfPrograms(const CoordinatorOptions& options) {
  std::vector<uid_t> users = {geteuid()};
  if (options.serves_as_id.has_value()) users.push_back(*options.serves_as_id);
  const LeftEnd end = EndLeftPrograms(options.directory, users, kLeftPatience);
  if (end.groups > 0) {
    LogWarning(absl::StrCat("ended what ", end.groups, end.groups == 1 ? " program" : " programs",
                            " of workers that are gone had started"));
  }
  if (!end.alive.empty()) {
    LogWarning(absl::StrCat("what a program of a worker that is gone has started lives on: pid ",
                            absl::StrJoin(end.alive, ", ")));
  }
}

// With whoever is left of a coordinator before us, else afresh.
absl::Status Begin(const CoordinatorOptions& options, const RunDirectory& directory,
                   absl::StatusOr<scoreboard::Scoreboard> board, const UpgradeState* former,
                   Beginning& beginning) {
  if (!board.ok()) {
    EndWhatIsLeftOfPrograms(options);
    return beginning.Afresh(directory);
  }
  absl::StatusOr<Greeted> greeted =
      GreetSurvivors(options.directory, board->layout(), kGreetingPatience);
  if (!greeted.ok()) return greeted.status();
  EndWhatIsLeftOfPrograms(options);
  if (!greeted->workers.empty()) {
    return beginning.GoOn(*std::move(board), *std::move(greeted), former);
  }
  SendAway(*greeted, board->layout(), options.supervisor.kill_timeout);
  return beginning.Afresh(directory);
}

}  // namespace

absl::StatusOr<Ending> RunCoordinator(const CoordinatorOptions& options) {
  if (absl::Status status = CheckDescriptors(options); !status.ok()) return status;
  DescriptorReserve reserve(kReserve);
  const absl::StatusOr<std::optional<UpgradeState>> upgrade = TakeUpgradeState();
  if (!upgrade.ok()) return upgrade.status();
  const UpgradeState* const former = upgrade->has_value() ? &**upgrade : nullptr;
  absl::StatusOr<RollTrigger> trigger =
      RollTrigger::Begin(options.cron, options.watch, absl::Now());
  if (!trigger.ok() && former != nullptr) {
    LogWarning(absl::StrCat(trigger.status().message(), "; it is not watched any more"));
    trigger = RollTrigger::Begin(options.cron, {}, absl::Now());
  }
  if (!trigger.ok()) return trigger.status();
  absl::StatusOr<RunDirectory> directory =
      former != nullptr
          ? RunDirectory::Continue(options.directory, Fd(former->lock), Fd(former->control))
          : RunDirectory::Take(options.directory);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::OpenAgain(directory->scoreboard_path());
  absl::Status status = CheckUnderstood(options, board);
  if (status.ok() && options.on_begun) options.on_begun();
  if (status.ok() && former == nullptr) status = directory->Furnish();
  absl::StatusOr<Fd> signals = status.ok() ? BlockSignals() : status;
  absl::StatusOr<ProcessWatch> watch =
      signals.ok() ? ProcessWatch::Begin() : absl::StatusOr<ProcessWatch>(signals.status());
  if (!watch.ok()) {
    if (former == nullptr) directory->Withdraw();
    return watch.status();
  }

  Beginning beginning(options, *std::move(watch));
  status = Begin(options, *directory, std::move(board), former, beginning);
  if (!status.ok()) {
    // Whoever is left serves on, and what they need to be found stays.
    if (former == nullptr) directory->Withdraw();
    return status;
  }
  const policy::Finish finish =
      Coordinator(beginning.options(), *directory, beginning.cluster(), *std::move(trigger),
                  *std::move(signals), std::move(reserve))
          .Run();
  beginning.cluster().output().End();
  directory->Remove();
  return Ending{finish.exit_code, finish.text, finish.asked};
}

absl::Status RehearseUpgrade(const CoordinatorOptions& options) {
  const absl::StatusOr<std::optional<UpgradeState>> state = TakeUpgradeState();
  if (!state.ok()) return state.status();
  if (!state->has_value()) return absl::FailedPreconditionError("there is no state to go on with");
  const absl::StatusOr<scoreboard::Scoreboard> board =
      scoreboard::Scoreboard::OpenReadOnly(options.directory + "/scoreboard");
  if (!board.ok()) return board.status();
  return AddressesInForce(options, board->layout().header).status();
}

}  // namespace uc::coordinator
