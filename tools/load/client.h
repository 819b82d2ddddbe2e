// Client: the load. One thread and one epoll set drive all lanes; a lane is one connection at a time.
//
// It never retries: an attempt that fails is a failure, and the lane goes on with the next one. Closed loop: each lane
// begins its next attempt when the last one has ended (and its thinking time is over). Open loop: attempts begin at a
// fixed rate whatever the server does, and latency counts from the time that was intended, so that a server that
// stalls cannot hide it.
#ifndef TOOLS_LOAD_CLIENT_H_
#define TOOLS_LOAD_CLIENT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/net/address.h"
#include "tools/load/answer.h"
#include "tools/load/tally.h"

namespace uc::load {

enum class Mode { kNew, kKeepAlive };

struct ClientOptions {
  std::vector<net::Address> targets;  // in turn
  std::vector<net::Address> sources;  // in turn; empty: the kernel's choice
  std::string path = "/";
  Mode mode = Mode::kNew;
  uint32_t connections = 10;  // lanes
  double rate = 0;            // attempts a second over all lanes; 0: closed loop
  uint64_t attempts_max = UINT64_MAX;
  absl::Duration think;
  absl::Duration timeout = absl::Seconds(5);
  absl::Duration slow = absl::Milliseconds(200);
  int expected_status = 200;
  std::string expected_body;  // prefix
  std::string probe_header;   // lower case; empty: none
};

class Client {
 public:
  explicit Client(ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Runs turns until `enough()` says so, which is asked every few milliseconds; then waits for the attempts that are
  // under way. `answering` is called once, when as many answers have come as there are lanes.
  void Run(const std::function<bool()>& enough, const std::function<void()>& answering);
  const Tally& tally() const { return tally_; }
  double seconds() const;

 private:
  enum class State { kIdle, kConnecting, kWaiting, kThinking };
  //
  //   kIdle ──> kConnecting ──> kWaiting ──answer──> kIdle or, keep-alive, kThinking ──> kWaiting
  //
  struct Lane {
    State state = State::kIdle;
    Fd fd;
    uint32_t number = 0;
    bool used = false;       // the connection has had an answer
    bool announced = false;  // the last answer said Connection: close
    int64_t intended_ns = 0;
    int64_t begun_ns = 0;
    int64_t resume_ns = 0;  // kThinking
    size_t sent = 0;        // of the request
    uint16_t port = 0;      // ours
    Answer answer;
  };

  void Begin(Lane& lane, int64_t intended_ns);
  void Connect(Lane& lane);
  void SendRequest(Lane& lane);
  void OnEvent(Lane& lane, uint32_t events);
  void OnConnected(Lane& lane);
  void OnIdleEvent(Lane& lane);
  void Read(Lane& lane);
  void Answered(Lane& lane);
  void FailLane(Lane& lane, Kind kind, std::string detail);
  void CloseLane(Lane& lane);
  void Watch(Lane& lane, uint32_t events);
  void StartDue(int64_t now_ns);
  void ExpireLate(int64_t now_ns);
  int64_t NextDue(int64_t now_ns) const;
  bool UnderWay() const { return under_way_ > 0; }

  const ClientOptions options_;
  const std::string request_;
  Fd epoll_;
  std::vector<Lane> lanes_;
  std::deque<uint32_t> idle_;  // lanes that can begin
  Tally tally_;
  int64_t started_ns_ = 0;
  int64_t ended_ns_ = 0;
  uint64_t due_ = 0;  // open loop: attempts whose time has come
  uint64_t begun_ = 0;
  uint32_t under_way_ = 0;
  uint32_t thinking_ = 0;
  uint32_t next_source_ = 0;
  int64_t now_ns_ = 0;
  int64_t expire_at_ns_ = 0;
  bool ending_ = false;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_CLIENT_H_
