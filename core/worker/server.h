// Server: the loop of a worker: turns of the ring, completions to connections, ticks, drain.
#ifndef CORE_WORKER_SERVER_H_
#define CORE_WORKER_SERVER_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "core/app/app.h"
#include "core/http/writer.h"
#include "core/link/channel.h"
#include "core/net/address.h"
#include "core/net/listener.h"
#include "core/net/slot_load.h"
#include "core/ring/ring.h"
#include "core/scoreboard/layout.h"
#include "core/worker/acceptor.h"
#include "core/worker/app_context.h"
#include "core/worker/connection_table.h"
#include "core/worker/coordinator_link.h"
#include "core/worker/deadlines.h"
#include "core/worker/hand_over.h"
#include "core/worker/mover.h"
#include "core/worker/outgoing.h"
#include "core/worker/service.h"

namespace uc::worker {

// Everything that a server is made of; made by RunWorker.
struct ServerParts {
  const WorkerOptions& options;
  link::Channel& channel;
  scoreboard::Report& row;
  const Fd& reports;  // the file that it is in
  std::unique_ptr<ring::Ring> ring;
  std::unique_ptr<app::App> app;
  Gateway* gateway = nullptr;  // the app, if it is one
  std::vector<Fd> listeners;
  net::ListenOptions listen;                  // how they listen
  std::vector<net::Address> known_addresses;  // GatewayLoop::known_addresses()
  Fd signals;                                 // a signalfd for SIGTERM and SIGINT
  Fd wake;                                    // an eventfd
  Fd inbox;                                   // reading end
  Fd inbox_writing;          // kept for a later coordinator, as the steering descriptors are
  std::vector<Fd> steering;  // empty: no steering
  Fd door;                   // where a later coordinator knocks
  std::optional<net::SlotLoad> load;  // with steering
  uint32_t slot = 0;
  uint32_t generation = 0;
  link::Entry entry = link::Entry::kAtOnce;
  uint32_t connections_max = 0;       // that are accepted
  uint32_t connections_possible = 0;  // with those of other workers: at least connections_max
};

class Server final : private GatewayLoop {
 public:
  explicit Server(ServerParts parts);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The app's Start hook; throws what it throws.
  void StartApp();
  // Everything that must be in the ring before READY.
  void Arm();
  // All of the slot's listeners listen: this is what starts the traffic.
  absl::Status StartListening();
  // Until the drain is complete; then the app's Stop hook. `become_ready` is called at once, or when a gateway says so;
  // what fails there, or a gateway's refusal, is returned.
  absl::Status Run(const std::function<absl::Status()>& become_ready);

 private:
  void Dispatch(const ring::Completion& completion);
  // GatewayLoop
  std::vector<int> listeners() const override { return acceptor_.listeners(parts_.slot); }
  const std::vector<net::Address>& known_addresses() const override {
    return parts_.known_addresses;
  }
  bool Claim(const link::Claim& claim) override;
  absl::Status AddListeners(std::vector<Fd> listeners) override;
  void Watch(int fd) override;
  void BecomeReady() override;
  void AcceptAtOnce() override;
  bool SayProgramEnded(const link::ProgramEnded& ended) override;
  void Leave(const absl::Status& why) override;
  absl::Status AdmitListeners();
  // What is queued at a listener that others had before is for who can serve it.
  bool may_accept() const { return !ready_later() || ready_now_; }
  bool ready_later() const { return parts_.gateway != nullptr && parts_.gateway->ready_later(); }
  void OnTick(const ring::Completion& completion);
  void OnWake(const ring::Completion& completion);
  void OnLink(const ring::Completion& completion);
  void Obey(link::Received received);  // one word of the coordinator
  void OnDoor();
  void OnSignal();
  void OnInbox();
  void OnAcceptable(ring::Tag tag);
  enum class Origin { kAccepted, kTakenOver, kProbe };
  void OpenConnection(Fd fd, Origin origin);
  void OpenAccepted(Fd fd, uint32_t slot);
  void ForgetPending();
  // What is to happen at a tick for those who wait for a place or for memory.
  void MakeRoom();
  // The connection that goes first when places are short: the one that is idle the longest, else the one that has not
  // read for the longest time; nullptr: all are needed.
  Connection* Expendable();
  Connection* Expendable(DeadlineKind kind, int64_t inactive_ns);
  void EndStalledBodies();
  void SayFull();
  void ArmAccepts();
  void BeginDrain(link::DrainKind kind, int64_t within_ns, std::vector<Fd> heirs);
  // Draining and nobody is left. Shuts the inbox; false: somebody was still in it.
  bool Empty();
  void EndIdleConnections();
  void EndLingeringConnections();
  void FinishTurn();
  void ChooseTick();
  void ReadClock();
  void SetDate();
  Connection* FindConnection(ring::Tag tag) {
    return IsOutgoing(tag.index) ? outgoing_.Find(tag.index, tag.generation)
                                 : table_.Find(tag.index, tag.generation);
  }
  // Without those that have ended in this turn.
  uint32_t connections() const {
    return table_.open() - static_cast<uint32_t>(service_.departed.size());
  }
  // By descriptors: a file that is being sent takes one as a connection does, and so does one to a server behind us.
  uint32_t RoomPossible() const {
    const uint32_t used = connections() + service_.files_open + outgoing_.open();
    return parts_.connections_possible - std::min(parts_.connections_possible, used);
  }
  // For new connections.
  uint32_t Room() const {
    return std::min(parts_.connections_max - std::min(parts_.connections_max, connections()),
                    RoomPossible());
  }
  // For a packet of the inbox. A few more than the operator's maximum, and than the descriptors that are not
  // reserved, are better than connections that wait for ever where nobody reads them.
  bool RoomForPacket() const { return RoomPossible() > 0; }

  ServerParts parts_;
  Deadlines deadlines_;
  Service service_;
  CoordinatorLink coordinator_;
  AppContext context_;
  ConnectionTable table_;
  Outgoing outgoing_;
  Acceptor acceptor_;
  Mover mover_;
  Inbox inbox_;
  http::DateCache date_;

  const std::unique_ptr<scoreboard::Counters>
      probe_counters_;  // our own requests are nobody's figures
  // Places of our own probes, who are nobody's load either: of a worker that dies in one nobody would know.
  std::vector<uint32_t> probes_open_;
  int64_t date_until_ns_ = 0;
  uint32_t tick_generation_ = 0;
  int64_t tick_ns_ = 0;  // period of the armed tick
  bool admitted_ = false;
  // Of AddListeners() before Admit: nobody would accept from them if that never came.
  std::vector<Fd> unadmitted_;
  bool inbox_armed_ = false;
  bool inbox_full_ = false;  // a packet waits, and there is no room for it
  int64_t full_said_ns_ = std::numeric_limits<int64_t>::min() / 2;
  int64_t forget_pending_at_ns_ = 0;
  bool leave_now_ = false;
  bool ready_now_ = false;  // a gateway has said so
  absl::Status refusal_;    // of a gateway
  int gateway_fd_ = -1;     // that it wants watched
  int signals_ = 0;         // that asked us to leave
  std::vector<Connection*> visiting_;
  int64_t end_idle_at_ns_ = 0;
  int64_t end_linger_at_ns_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_SERVER_H_
