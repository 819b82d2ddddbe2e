// Server: one competitor: its processes, where they run, and the CPU time that they have used.
//
// Started with the server's core as its affinity, which all its processes inherit. Its CPU time is the sum of
// the processes' own clocks, exact to the nanosecond, also of one that runs this instant.
#ifndef BENCHMARKS_PAIRED_SERVER_H_
#define BENCHMARKS_PAIRED_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::paired {

class Server {
 public:
  // "NAME=COMMAND", a line for the shell (which ends in `exec` if it is more than one command). {port},
  // {request_bytes}, {folder} (an empty one of its own) and {files} are filled in.
  struct Order {
    std::string name;
    std::string command;
    static absl::StatusOr<Order> Parse(absl::string_view text);
  };
  struct Surroundings {
    int core = 0;
    size_t request_bytes = 0;
    std::string folder;  // for the servers' own folders and logs
    std::string files;   // what there is to be served
  };

  // Returns when it accepts connections.
  static absl::StatusOr<Server> Start(const Order& order, const Surroundings& around);
  Server(Server&& other) noexcept;
  Server& operator=(Server&&) = delete;
  // SIGTERM, then SIGKILL for what is still there.
  ~Server();

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  size_t processes() const { return clocks_.size(); }
  // Finds its processes anew.
  void Count();
  int64_t CpuNanos() const;

 private:
  Server() = default;
  absl::Status AwaitConnections() const;

  std::string name_;
  std::string log_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
  std::vector<clockid_t> clocks_;
};

}  // namespace uc::paired

#endif  // BENCHMARKS_PAIRED_SERVER_H_
