// Client: the load. One thread and one ring drive all lanes; a lane is a user, who has one connection at a time.
//
// It never retries: an attempt that fails is a failure, and the lane goes on with the next one. Closed loop: a lane
// begins its next attempts when the last ones have ended (and its thinking time is over). Open loop: attempts begin
// when Pace says, whatever the server does, and latency counts from the time that was intended, so that a server that
// stalls cannot hide it (no coordinated omission).
// A connection whose answer said "close" is left to the server's FIN, off the lane, so that TIME_WAIT stays with the
// server as it does for browsers, and the ports here last. Refused: epoll as a second back-end (a machine without
// io_uring does not run our server either, and wrk is at hand as a second opinion).
#ifndef TOOLS_LOAD_CLIENT_H_
#define TOOLS_LOAD_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/net/address.h"
#include "core/ring/ring.h"
#include "tools/load/answer.h"
#include "tools/load/pace.h"
#include "tools/load/tally.h"

namespace uc::load {

enum class Mode { kNew, kKeepAlive };

struct ClientOptions {
  std::vector<net::Address> targets;  // in turn
  std::vector<net::Address> sources;  // in turn; empty: the kernel's choice
  std::string method = "GET";
  std::string path = "/";
  std::string headers;  // more of them, each with its CRLF
  Mode mode = Mode::kNew;
  uint32_t connections = 10;  // lanes
  uint32_t pipeline = 1;      // attempts under way on one connection
  double rate = 0;            // attempts a second over all lanes; 0: closed loop
  Arrivals arrivals = Arrivals::kEven;
  absl::Duration rate_begins;  // after the start; apart for each thread
  uint64_t seed = 1;
  uint64_t attempts_max = UINT64_MAX;
  absl::Duration think;
  absl::Duration timeout = absl::Seconds(5);
  absl::Duration slow = absl::Milliseconds(200);
  Expected expected;
};

// What the client's thread and others say to each other while it runs.
struct Signals {
  std::atomic<bool> enough = false;  // to the client: begin nothing more
  std::atomic<uint64_t> attempts = 0, answers = 0, lost = 0;
};

class Client {
 public:
  explicit Client(ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // On its own thread. Runs until `signals.enough` or all attempts are begun; then waits for those that are under way.
  // `answering` is called once, when as many answers have come as there are lanes. Fails only if there is no io_uring.
  absl::Status Run(Signals& signals, const std::function<void()>& answering);
  const Tally& tally() const { return tally_; }
  double seconds() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // How often deadlines and the owner's wishes are looked at.
  static constexpr absl::Duration kTick = absl::Milliseconds(5);

  struct Attempt {
    int64_t intended_ns = 0;
    int64_t begun_ns = 0;
  };
  struct Lane {
    uint32_t connection = kNone;
    uint32_t oldest = 0;  // of its attempts under way, in attempts_
    uint32_t under_way = 0;
    bool waiting = false;  // in idle_
    int64_t idle_ns = 0;   // since when
    Answer answer;         // to the oldest attempt
  };
  enum class Stage : uint8_t {
    kFree,        // nobody's; the kernel knows nothing of it
    kConnecting,  // no byte could be sent yet
    kOpen,        // a lane's
    kLeaving,     // no lane's; waits for its last completion
  };
  //
  //   kFree ──> kConnecting ──> kOpen ──> kLeaving ──> kFree
  //                   └────────────────────────┘
  //
  struct Connection {
    Fd fd;
    Stage stage = Stage::kFree;
    bool receiving = false;  // a receive is armed
    bool polling = false;    // a poll for POLLOUT is armed
    bool used = false;       // it has had an answer
    uint32_t generation = 0;
    uint32_t lane = kNone;
    size_t unsent = 0;  // of the requests under way
  };
  struct Leaver {
    uint32_t connection, generation;
    int64_t since_ns;
  };

  // When what begins (client.cc).
  void Turn();
  bool MayConnect() const;
  void StartDue();
  std::optional<int64_t> NextDue() const;
  void BeginBatch(uint32_t lane);
  void Begin(uint32_t lane, int64_t intended_ns);
  void MakeAvailable(uint32_t lane);
  void Tick(Signals& signals);
  void ExpireLate();
  Attempt& Oldest(uint32_t lane);

  // What comes of it (attempt.cc).
  void OnBytes(uint32_t connection, absl::string_view bytes);
  void OnEnd(uint32_t connection, int error);
  void Answered(uint32_t lane);
  void Count(uint32_t lane);
  void Pop(uint32_t lane);
  void Rest(uint32_t lane);
  void FailLane(uint32_t lane, Kind kind, const std::string& detail);
  void FailOldest(uint32_t lane, Kind kind, const std::string& detail);

  // Connections (connection.cc).
  void Connect(uint32_t lane);
  void Send(uint32_t lane);
  void OnCompletion(const ring::Completion& completion);
  void OnReceived(uint32_t connection, const ring::Completion& completion);
  void Receive(uint32_t connection);
  void Leave(uint32_t connection);
  void Quit(uint32_t connection);
  void FreeIfDone(uint32_t connection);
  ring::Tag TagOf(ring::Op op, uint32_t connection) const;

  const ClientOptions options_;
  const std::string request_;
  const std::string requests_;  // as many as may be under way
  std::unique_ptr<ring::Ring> ring_;
  std::vector<Lane> lanes_;
  std::vector<Attempt> attempts_;       // `pipeline` for each lane, used as a ring
  std::deque<Connection> connections_;  // never moves
  std::vector<uint32_t> free_;
  std::deque<Leaver> leavers_;
  std::deque<uint32_t> idle_;                            // lanes that can begin
  std::deque<std::pair<uint32_t, int64_t>> resting_;     // lanes that think, until when
  std::deque<std::pair<uint32_t, int64_t>> recovering_;  // lanes after a fault of our own
  std::optional<Pace> pace_;                             // open loop
  Tally tally_;
  int64_t started_ns_ = 0;
  int64_t ended_ns_ = 0;
  int64_t now_ns_ = 0;  // when the last turn ended
  uint64_t begun_ = 0;
  uint64_t under_way_ = 0;
  uint32_t newcomers_ = 0;  // connections without an answer yet
  uint32_t next_source_ = 0;
  uint32_t expire_next_ = 0;  // the lane that is looked at next
  int64_t expired_ns_ = 0;
  bool ending_ = false;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_CLIENT_H_
