// Cluster: the running cluster on the operating system's side: processes, listeners, scoreboard. Carries
// out the supervisor's Actions and brings their results back as Events.
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
#include "core/coordinator/coordinator_options.h"
#include "core/coordinator/reply.h"
#include "core/coordinator/worker_process.h"
#include "core/policy/supervisor.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

class Cluster {
 public:
  // `addresses`: with port 0 resolved.
  Cluster(const CoordinatorOptions& options, std::vector<net::Address> addresses,
          scoreboard::Scoreboard board);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void Start(absl::Time now);
  // Feeds one event, carries out what follows, and so on until nothing follows any more.
  void Handle(absl::Time now, policy::Event event);
  // A command; its progress and its answer go to `reply` and to the log.
  void Give(absl::Time now, const policy::Command& command, Reply reply);

  // What the descriptors of `processes()` reported.
  void OnLinkReadable(absl::Time now, policy::Generation generation);
  void OnExit(absl::Time now, policy::Generation generation);
  // Compares the heartbeats with the clock.
  void ObserveHealth(absl::Time now);

  const std::map<policy::Generation, WorkerProcess>& processes() const { return processes_; }
  const policy::Supervisor& supervisor() const { return supervisor_; }
  const std::optional<policy::Finish>& finish() const { return finish_; }

  // Opens the log file again and passes it to the workers (USR1).
  void ReopenLogFiles();

 private:
  void CarryOut(const policy::Action& action);
  void CarryOut(const policy::Spawn& spawn);
  void CarryOut(const policy::Drain& drain);
  void CarryOut(const policy::Kill& kill);
  void CarryOut(const policy::SetLive& set_live);
  void CarryOut(const policy::CloseSlot& close_slot);
  void CarryOut(const policy::Progress& progress);
  void CarryOut(const policy::Acknowledge& acknowledge);
  void CarryOut(const policy::ReopenLogFiles&) { ReopenLogFiles(); }
  void CarryOut(const policy::Report& report);
  void CarryOut(const policy::Finish& finish) { finish_ = finish; }

  absl::Status StartProcess(policy::WorkerId id);
  void AdoptHeldListeners();
  void KeepListeners(const WorkerProcess& process, std::vector<Fd> listeners);
  std::optional<uint32_t> FreeRow() const;
  WorkerProcess* Find(policy::WorkerId id);
  void Publish(absl::Time now);
  void AnnounceWhenReady();

  const CoordinatorOptions& options_;
  const std::vector<net::Address> addresses_;
  scoreboard::Scoreboard board_;
  policy::Supervisor supervisor_;

  std::map<policy::Generation, WorkerProcess> processes_;
  std::map<policy::SlotIndex, std::vector<Fd>> listeners_;
  // Slots that were retired and whose listeners we hold on, so that nothing queued or half-open there is
  // reset; with the generation of the worker that serves them now (0: none yet).
  std::map<policy::SlotIndex, policy::Generation> held_;
  struct Asked {
    std::string text;
    Reply reply;
  };
  std::map<policy::CommandId, Asked> asked_;
  policy::CommandId last_command_ = 0;

  std::deque<policy::Event> events_;
  bool announced_ = false;
  std::optional<policy::Finish> finish_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_CLUSTER_H_
