// WorkerOutput: where the workers' stdout and stderr go when they are not simply ours.
//
// Each worker writes into two FIFOs of its own, DIRECTORY/output/SLOT-GENERATION.out and .err; one process
// beside the coordinator, the scribe, reads them all and writes files (tools/logs/scribe.h). Nobody depends on
// anybody's life: a writer has its FIFO open for reading too, so a dead scribe is no EPIPE; what is in a FIFO waits
// for the next scribe; and a coordinator's death does not touch the scribe.
//
// Commands to the scribe are lines in the FIFO output/wake: "look" (there are new FIFOs), "reopen", "yield PID" (all
// scribes but that one leave), "quit". Invariant: nothing here blocks, and no failure here keeps a worker from
// being born. Refused: files that the workers write themselves (a full disk would break programs that check their
// writes; no rotation without loss, no time stamps), and reading in the coordinator (its death would be an EPIPE).
#ifndef CORE_COORDINATOR_WORKER_OUTPUT_H_
#define CORE_COORDINATOR_WORKER_OUTPUT_H_

#include <sys/types.h>

#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/policy/event.h"

namespace uc::coordinator {

// For one worker: its stdout and stderr. Invalid: it inherits ours.
struct OutputStreams {
  Fd out;
  Fd err;
};

class WorkerOutput {
 public:
  // Of each worker; with kErrors its stdout is ours.
  enum class Streams { kErrors, kBoth };

  // `scribe_arguments`: argv of the scribe, argv[0] included; empty: workers inherit our stdout and stderr, and
  // nothing below does anything.
  WorkerOutput(std::string binary, std::vector<std::string> scribe_arguments,
               std::string cluster_directory, Streams streams = Streams::kBoth);
  WorkerOutput(const WorkerOutput&) = delete;
  WorkerOutput& operator=(const WorkerOutput&) = delete;

  bool captured() const { return !scribe_arguments_.empty(); }
  // Starts a scribe; one of a coordinator before us leaves. Call once, before the first worker.
  void Begin(absl::Time now);
  OutputStreams Open(policy::WorkerId worker);
  // The cluster's directory was cleaned away: the folder for the workers to come. The scribe has the FIFOs of those
  // that are there open, and goes on.
  void MakeAgain();
  // The scribe opens its files again.
  void Reopen() { Say("reopen\n"); }
  // A child of ours has ended; the scribe, perhaps.
  void OnExit(pid_t pid);
  // Now and then: a scribe that died is replaced, at most once a second.
  void Tend(absl::Time now);
  // The cluster has ended: lets the scribe write what there is, for a second at most, and removes the FIFOs.
  void End();

 private:
  void StartScribe(absl::Time now);
  void Say(const std::string& line);
  Fd OpenStream(const std::string& path);
  void ForgetRead();

  const std::string binary_;
  const std::vector<std::string> scribe_arguments_;
  const std::string directory_;
  const Streams streams_;
  Fd wake_;
  pid_t scribe_ = 0;  // 0: none
  Fd scribe_pidfd_;
  absl::Time scribe_born_ = absl::InfinitePast();
  // Reading ends, until the scribe has read a FIFO to its end and removed its name: the last words of a worker
  // that dies at once must not die with it.
  std::deque<Fd> unread_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_WORKER_OUTPUT_H_
