// Outgoing: the connections that a worker has opened itself, to a server behind it, in the worker's own ring.
//
// They share ring, deadlines and turns with the connections of clients, and none of their accounting: they are no
// load, hold no place of --max-connections, and never move to another worker. Their indices have the highest bit set,
// so that a completion finds its table.
#ifndef CORE_WORKER_OUTGOING_H_
#define CORE_WORKER_OUTGOING_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/base/fd.h"
#include "core/link/message.h"
#include "core/net/address.h"
#include "core/scoreboard/layout.h"
#include "core/worker/connection.h"
#include "core/worker/connection_table.h"

namespace uc::worker {

class Outgoing {
 public:
  Outgoing() : counters_(std::make_unique<scoreboard::Counters>()) {}

  // Opens a connection on a place of the table; `make` builds an object for a place that is used for the first time,
  // all of one type.
  template <typename Make>
  Connection& Open(Fd fd, const Make& make) {
    const uint32_t index = table_.Take(make);
    Connection& connection = table_.at(index);
    connection.Open(std::move(fd), index | kOutgoingBit, table_.generation(index), *counters_,
                    Connection::FirstBytes::kAwaited);
    return connection;
  }
  Connection* Find(uint32_t index, uint32_t generation) {
    return table_.Find(index & ~kOutgoingBit, generation);
  }
  // After its last call (Service::outgoing_departed).
  void Free(uint32_t index) { table_.Free(index & ~kOutgoingBit); }
  void AbandonAll() {
    for (uint32_t index = 0; index < table_.places(); ++index) {
      if (table_.at(index).open()) table_.at(index).Abandon();
    }
  }
  uint32_t open() const { return table_.open(); }

 private:
  ConnectionTable table_;
  const std::unique_ptr<scoreboard::Counters> counters_;  // nobody's figures
};

class RelayExchange;

// What a gateway may ask of its worker's loop.
class GatewayLoop {
 public:
  // Gateway::OnReadable() follows whenever `fd` becomes readable: read until nothing is left. Once, for a descriptor
  // that lives as long as the app; where there are several, an epoll set has one.
  virtual void Watch(int fd) = 0;
  // The slot's listeners, borrowed until the next call: at a worker's start those that a worker before it had.
  virtual std::vector<int> listeners() const = 0;
  // Where the cluster's other slots listen, as far as it was known when this worker was born.
  virtual const std::vector<net::Address>& known_addresses() const = 0;
  // Asks the coordinator for an address that no slot has yet; Gateway::OnClaimed() follows. False: there is none.
  virtual bool Claim(const link::Claim& claim) = 0;
  // Further listeners of the slot, bound: the coordinator keeps them, and they are served as the others are.
  virtual absl::Status AddListeners(std::vector<Fd> listeners) = 0;
  // Connections are accepted before their first bytes come: the server is one that speaks first.
  virtual void AcceptAtOnce() = 0;
  // The worker listens and says READY now, if Gateway::ready_later(). Again: what has been said to have ended serves.
  virtual void BecomeReady() = 0;
  // What made it READY has ended; Gateway::OnStartProgram() follows when it is to be started again. False: nobody hears.
  virtual bool SayProgramEnded(const link::ProgramEnded& ended) = 0;
  // The worker ends with this turn, and with it what it serves. Not OK: it refuses to start (WorkerRefused).
  virtual void Leave(const absl::Status& why) = 0;

 protected:
  ~GatewayLoop() = default;
};

// An app of ours that opens connections of its own. Not for shared objects: it sees the worker's inside.
class Gateway {
 public:
  // Before the app's Start hook. All live as long as the app.
  virtual void Join(Service& service, Outgoing& outgoing, GatewayLoop& loop) = 0;

  // How a client goes on that has sent no more than these bytes; `patience` is over with --first-byte-timeout, or with
  // its FIN.
  enum class Way {
    kWait,    // more bytes tell
    kHttp,    // as a client of HTTP/1
    kTunnel,  // by HandleTunnel(): every byte both ways
  };
  enum class Patience { kSome, kOver };
  virtual Way WayOf(std::string_view /*first_bytes*/, Patience) { return Way::kHttp; }
  // A client that has RelayExchange::BeginRaw() behind it: its bytes come when somebody attaches.
  virtual void HandleTunnel(RelayExchange& /*client*/) {}
  // A client has said nothing for --first-byte-timeout: the server may be one that speaks first. Who attaches hears nothing
  // of the client before BeginRaw(). False: not now, ask again.
  virtual bool HandleSilent(RelayExchange& /*client*/) { return true; }

  virtual bool ready_later() const { return false; }
  virtual void OnReadable() {}
  virtual void OnStartProgram() {}
  // The answer to GatewayLoop::Claim(). `listener`: bound there, for this slot; not valid if claimed.error says so.
  virtual void OnClaimed(const link::Claimed& /*claimed*/, Fd /*listener*/) {}
  // The coordinator has gone, or is another one: what it was asked is not answered any more.
  virtual void OnCoordinatorGone() {}
  // What made the worker READY has ended and does not serve again yet.
  virtual bool restarting() const { return false; }
  // `within_ns`: what is left of the worker's time; 0: not known.
  virtual void OnDrain(int64_t /*within_ns*/) {}
  // In a drain, when all clients have gone: the worker ends when it is so. Asked at each turn.
  virtual bool Finished() { return true; }

 protected:
  ~Gateway() = default;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_OUTGOING_H_
