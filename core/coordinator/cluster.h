// Cluster: the running cluster on the operating system's side: processes, listeners, steering, scoreboard.
// Carries out the supervisor's Actions and brings their results back as Events.
//
// Nothing here blocks and nothing is decided here: who lives, dies or serves is the Supervisor's.
#ifndef CORE_COORDINATOR_CLUSTER_H_
#define CORE_COORDINATOR_CLUSTER_H_

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/coordinator/asked_commands.h"
#include "core/coordinator/board_mirror.h"
#include "core/coordinator/claims.h"
#include "core/coordinator/cluster_log.h"
#include "core/coordinator/coordinator_options.h"
#include "core/coordinator/former_workers.h"
#include "core/coordinator/health_watch.h"
#include "core/coordinator/listener_keep.h"
#include "core/coordinator/process_watch.h"
#include "core/coordinator/publish.h"
#include "core/coordinator/recycle_watch.h"
#include "core/coordinator/reply.h"
#include "core/coordinator/ring_allotment.h"
#include "core/coordinator/self_probe.h"
#include "core/coordinator/spread.h"
#include "core/coordinator/upgrade.h"
#include "core/coordinator/worker_output.h"
#include "core/coordinator/worker_process.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

class Cluster {
 public:
  // `addresses`: with port 0 resolved. `claims`: of a former coordinator.
  Cluster(const CoordinatorOptions& options, std::vector<net::Address> addresses, Mode mode,
          scoreboard::Scoreboard board, ProcessWatch watch, Claims claims = {});
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void Start(absl::Time now);
  // Instead of Start: goes on with the workers of a coordinator that has gone. `listeners`: what is kept besides
  // theirs. `upgraded`: who waits to hear that the upgrade is done.
  void Resume(absl::Time now, std::vector<FormerWorker> workers,
              std::map<policy::SlotIndex, std::vector<Fd>> listeners, Reply upgraded);
  // Feeds one event, carries out what follows, and so on until nothing follows any more.
  void Handle(absl::Time now, policy::Event event);
  // A command; its progress and its answer go to `reply` and to the log.
  void Give(absl::Time now, const policy::Command& command, Reply reply);

  // What `watch()` and the descriptors of `probes()` and `rehearsal()` reported.
  void OnLinkReadable(absl::Time now, policy::Generation generation);
  void OnExit(absl::Time now, policy::Generation generation);
  void OnProbeReadable(absl::Time now, policy::Generation generation);
  // The rehearsal has ended, or its time is over. Does not come back if the upgrade succeeds. `lock` and
  // `control` go with it.
  void OnRehearsal(absl::Time now, const Fd& lock, const Fd& control);
  // Compares the heartbeats with the clock; due at health_due().
  void ObserveHealth(absl::Time now);
  absl::Time health_due() const { return health_watch_.due(); }
  // What besides wakes the coordinator of an idle cluster: its listeners, at which a connection has come (Stir).
  absl::Span<const pollfd> StirredBy() {
    return health_watch_.idle() ? listeners_.Polled() : absl::Span<const pollfd>();
  }
  void Stir(absl::Time now) { health_watch_.Stir(now); }
  // Once whatever happened is some time ago: gives back the memory that only starting and changing needs.
  void Tidy(absl::Time now);
  // Looks for workers that have had their day; due at recycle_due().
  void ObserveRecycling(absl::Time now);
  absl::Time recycle_due() const { return recycle_watch_.due(); }
  // Gives back what the program asked for and does not listen on; due at claims_due().
  void TendClaims(absl::Time now);
  absl::Time claims_due() const { return claims_.due(); }

  const Processes& processes() const { return processes_; }
  ProcessWatch& watch() { return watch_; }
  const std::map<policy::Generation, SelfProbe>& probes() const { return probes_; }
  const std::optional<Rehearsal>& rehearsal() const { return rehearsal_; }
  absl::Time rehearsal_deadline() const { return rehearsal_deadline_; }
  const policy::Supervisor& supervisor() const { return supervisor_; }
  WorkerOutput& output() { return output_; }
  ClusterLog& log() { return lines_; }
  const std::optional<policy::Finish>& finish() const { return finish_; }

  const scoreboard::Scoreboard& scoreboard() const { return board_; }
  // The run directory was cleaned away and made again: so is what is ours in it.
  absl::Status MakeAgain();
  // Opens the log file again and passes it to the workers (USR1).
  void ReopenLogFiles();
  // Rotates it when it is full, whoever has written into it.
  void TendLog();
  // For an upgrade.
  UpgradeState StateForUpgrade(const Fd& lock, const Fd& control) const;

 private:
  // What others read in the scoreboard is so again, whatever was done to the file.
  void RefreshBoard(absl::Time now);
  void CarryOut(const policy::Action& action);
  void CarryOut(const policy::Spawn& spawn);
  void CarryOut(const policy::Probe& probe);
  void CarryOut(const policy::Admit& admit);
  void CarryOut(const policy::StartProgram& start);
  void CarryOut(const policy::Drain& drain);
  void CarryOut(const policy::Kill& kill);
  void CarryOut(const policy::SetLive& set_live);
  void CarryOut(const policy::Adopt& adopt);
  void CarryOut(const policy::Release& release);
  void CarryOut(const policy::Evacuate& evacuate);
  void CarryOut(const policy::Rebalance&);
  void CarryOut(const policy::Progress& progress) { asked_.Tell(progress); }
  void CarryOut(const policy::Acknowledge& acknowledge) { asked_.Answer(acknowledge); }
  void CarryOut(const policy::ReopenLogFiles&) { ReopenLogFiles(); }
  void CarryOut(const policy::Upgrade& upgrade);
  void CarryOut(const policy::StartEnded& ended) { start_ended_ = ended; }
  void CarryOut(const policy::Report& report);
  void CarryOut(const policy::Finish& finish) { finish_ = finish; }

  void AddProcess(WorkerProcess process);
  void TellOfDoor(const absl::Status& door);
  // Says one thing to a worker. A worker that does not take it has its deadlines like any other.
  void Tell(policy::WorkerId id, const link::Message& message,
            absl::Span<const int> descriptors = {});
  void Hear(absl::Time now, WorkerProcess& process, link::Received packet);
  void AnswerClaim(const WorkerProcess& process, const link::Claim& claim);
  // Where slots listen.
  std::vector<net::Address> AddressesInUse() const;
  void PublishAddresses();
  // What --listen says, and what the program has claimed.
  std::vector<net::Address> AllAddresses() const;
  // A program's processes do not outlive its launcher.
  void KillProgram(const WorkerProcess& process);
  void KeepListeners(absl::Time now, const WorkerProcess& process, policy::SlotIndex slot,
                     std::vector<Fd> listeners);
  // Workers whose stderr is ours write into the file that it is now.
  void PassStderrOn();
  WorkerProcess* Find(policy::WorkerId id);
  // How many workers the machine carries now.
  std::vector<policy::WorkersBound> Bounds();
  // What came of the start, to the log, to `on_started` and to the service manager.
  void AnnounceStart();

  const CoordinatorOptions& options_;
  const std::vector<net::Address> addresses_;
  scoreboard::Scoreboard board_;
  policy::Supervisor supervisor_;

  ProcessWatch watch_;
  Processes processes_;
  WorkerOutput output_;
  OwnLog log_;
  ClusterLog lines_;
  Claims claims_;
  ListenerKeep listeners_;
  Spread spread_;
  std::map<policy::Generation, SelfProbe> probes_;
  std::optional<Rehearsal> rehearsal_;
  absl::Time rehearsal_deadline_ = absl::InfiniteFuture();
  policy::CommandId upgrade_command_ = 0;
  RingAllotment rings_;
  BoardMirror mirror_;
  StandIns stand_ins_;
  HealthWatch health_watch_;
  RecycleWatch recycle_watch_;

  AskedCommands asked_{lines_};

  std::deque<policy::Event> events_;
  absl::Time quiet_since_ = absl::InfiniteFuture();
  std::optional<policy::StartEnded> start_ended_;
  bool announced_ = false;
  bool service_told_ = false;  // READY=1
  bool doorless_ = false;      // the last worker was born without a door that can be found
  std::optional<policy::Finish> finish_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_CLUSTER_H_
