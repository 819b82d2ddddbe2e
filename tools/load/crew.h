// Crew: one thread for each client, and what they have come to so far.
#ifndef TOOLS_LOAD_CREW_H_
#define TOOLS_LOAD_CREW_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "core/base/fd.h"
#include "tools/load/client.h"
#include "tools/load/options.h"
#include "tools/load/tally.h"

namespace uc::load {

class Crew {
 public:
  // Starts the threads.
  explicit Crew(const Options& options);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();

  // Readable when answering() or ended() may have become true. An eventfd: who polls it reads it.
  const Fd& news() const { return news_; }
  // As many answers as connections have come, on each thread.
  bool answering() const { return answering_.load() == members_.size(); }
  bool ended() const { return ended_.load() == members_.size(); }
  uint64_t attempts() const;
  uint64_t answers() const;
  uint64_t lost() const;

  void Enough();
  // Waits for all threads. Fails if one of them could not begin.
  absl::Status Join();
  // After Join().
  Tally Total() const;
  double seconds() const;

 private:
  struct Member {
    explicit Member(const ClientOptions& options) : client(options) {}
    Client client;
    Signals signals;
    absl::Status status;
    std::thread thread;
  };
  void Work(Member& member, int cpu);
  void Tell();

  Fd news_;
  std::atomic<size_t> answering_ = 0, ended_ = 0;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_CREW_H_
