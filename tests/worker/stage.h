// Stage: one real worker in a process of its own, and the test in the place of its coordinator.
//
// The link, the scoreboard, the listeners and the exit code are the real ones. A worker that still runs
// when the stage is struck must leave on SIGTERM with 0: so each test also proves that (and under a
// sanitizer, that it had nothing to say).
#ifndef TESTS_WORKER_STAGE_H_
#define TESTS_WORKER_STAGE_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/scoreboard/scoreboard.h"
#include "core/worker/worker.h"
#include "gtest/gtest.h"
#include "tests/worker/client.h"

namespace uc::worker {

// ThreadSanitizer keeps about four bytes for each byte that is touched, and more for what was freed: the growth that a
// test allows is larger there, and still far below what it forbids.
#ifdef __SANITIZE_THREAD__
inline constexpr size_t kMemoryScale = 8;
#else
inline constexpr size_t kMemoryScale = 1;
#endif

class Stage : public testing::Test {
 protected:
  Stage();
  ~Stage() override;

  // Before Raise():
  WorkerOptions options_;
  rlim_t descriptors_max_ = 0;  // of the worker; 0: as here
  std::vector<std::string> assigned_addresses_;
  std::vector<Fd> inherited_;  // listeners
  link::Entry entry_ = link::Entry::kAtOnce;

  // Starts a worker and returns its first word that is not Bound.
  link::Message Cast(const AppFactory& make_app);
  // The same, and it must be Ready.
  void Raise(const AppFactory& make_app);
  template <typename App>
  void Raise() {
    Raise([] { return std::make_unique<App>(); });
  }

  const net::Address& address() const { return *address_; }
  Client Connect(Client::Sockets sockets = {}) { return Client(address(), sockets); }
  scoreboard::Totals Totals() const;
  const scoreboard::Report& row() const { return board_.layout().reports.rows[kRow]; }
  // Waits until `counter` of the worker has reached `value`.
  bool Reaches(const std::atomic<uint64_t>& counter, uint64_t value) const;
  bool ReachesInFlight(uint32_t requests) const;
  bool BeatsAfter(int64_t nanos) const;

  void Drain(link::DrainKind kind, absl::Duration within, const std::vector<int>& heirs = {});
  // Any other word of the coordinator.
  void Say(const link::Message& message, const std::vector<int>& descriptors = {});
  void LoseCoordinator() { link_.reset(); }
  void Signal(int signal);
  // The exit code; 128 + signal if it was killed; -1 if it does not leave in time.
  int AwaitExit();
  pid_t pid() const { return pid_; }
  // A line that a test app has noted (see Note), in their order; "" when none comes in time.
  std::string Noted();
  // Resident memory of the worker in bytes. What it may grow by is to be multiplied by kMemoryScale.
  size_t Memory() const;

  std::vector<Fd> bound_;  // what the worker sent with Bound
  Fd inbox_;               // writing end of the worker's inbox
  std::string folder_;     // for files of a test

 private:
  static constexpr uint32_t kRow = 3;
  link::Message AwaitWord();
  bool Comes(const std::function<bool()>& condition) const;
  void BecomeWorker(const AppFactory& make_app, Fd link);

  scoreboard::Scoreboard board_;
  std::optional<link::Channel> link_;
  std::optional<net::Address> address_;
  Fd notes_;
  std::string notes_read_;
  pid_t pid_ = -1;
  Fd pidfd_;
};

// For test apps, in the worker: tells the test that something happened.
void Note(std::string_view line);

}  // namespace uc::worker

#endif  // TESTS_WORKER_STAGE_H_
