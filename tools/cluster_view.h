// ClusterView: what the scoreboard of one cluster says, as plain values, and as JSON or text for a person.
#ifndef TOOLS_CLUSTER_VIEW_H_
#define TOOLS_CLUSTER_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::tools {

struct SlotView {
  uint32_t slot = 0;
  bool live = false;
  uint32_t stand_in = 0;  // generation of the worker of another slot that accepts for it; 0: none
  uint64_t restarts = 0;
  uint32_t quick_deaths = 0;
  int64_t next_spawn_in_ms = 0;
  std::string condition;      // "well", "errored", "stopped"
  std::string failure;        // why its last worker failed; empty: none has
  double failed_seconds = 0;  // ago
};

struct WorkerView {
  uint32_t slot = 0;
  uint32_t generation = 0;
  int pid = 0;
  int program_pid = 0;  // of the program that this worker runs; 0: it serves itself
  std::string state;    // "starting", "proving", "serving", "restarting", "draining", "killed"
  double state_seconds = 0;
  double uptime_seconds = 0;
  int64_t heartbeat_age_ms = 0;
  uint64_t connections = 0;
  uint32_t in_flight = 0;
  uint32_t idle = 0;
  scoreboard::Totals totals;
};

// The process that an operator means by "worker": the program, where there is one.
inline int ProcessOf(const WorkerView& worker) {
  return worker.program_pid != 0 ? worker.program_pid : worker.pid;
}

struct ClusterView {
  std::string name, app, mode, balance, binary, command_line;
  std::string user;           // whom its workers act as; empty: none is there
  uint32_t coordinators = 1;  // that it has had
  std::vector<std::string> addresses;
  bool program =
      false;  // the app is a program of its own: of requests and their times nothing is known
  bool running = false;  // its coordinator lives
  bool stopped = false;  // nothing of it lives; it is remembered
  int coordinator_pid = 0;
  uint32_t workers_wanted = 0;
  bool rolling = false;
  bool stopping = false;
  double uptime_seconds = 0;
  uint64_t events_ignored = 0;
  std::vector<SlotView> slots;
  std::vector<WorkerView> workers;
  scoreboard::Totals totals;
};

// Reads BASE/NAME's scoreboard; asks nobody.
absl::StatusOr<ClusterView> ViewCluster(const std::string& directory, absl::Time now);

// A cluster that is stopped and would be started by these words.
ClusterView ViewStopped(const std::string& name, const std::vector<std::string>& words);

// "12us", "<1us"; "-" before the first answer.
std::string ShownLatency(const scoreboard::Totals& totals, double q);
// "running", "rolling", "stopping", "stopped", "coordinator gone".
std::string StatusWord(const ClusterView& view);
std::string ToJson(const ClusterView& view);
std::string ToJson(const std::vector<ClusterView>& views);
// `list`: one table over all clusters.
std::string ToTable(const std::vector<ClusterView>& views);
// `describe`.
std::string ToText(const ClusterView& view);

}  // namespace uc::tools

#endif  // TOOLS_CLUSTER_VIEW_H_
