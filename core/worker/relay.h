// Relay: a client's exchange that is passed through to a server behind the worker: what a gateway needs of an
// HttpConnection beyond app::Exchange. Internal: apps in shared objects see none of it.
//
//   Handle(exchange) ──Attach(peer)──> body pieces to the peer ──BeginRelayed, Write..., EndRelayed──> (done)
//                                          └──BeginTunnel──> bytes both ways ──EndTunnel, OnClientGone──> (done)
#ifndef CORE_WORKER_RELAY_H_
#define CORE_WORKER_RELAY_H_

#include <string_view>

#include "absl/types/span.h"
#include "core/app/app.h"
#include "core/http/message.h"

namespace uc::worker {

// The other side of the exchange, as the client's connection sees it.
class RelayPeer {
 public:
  // A piece of the request's body, `last` with the final (maybe empty) one; in a tunnel bytes of the client, `last`
  // with its FIN. The view holds until the call returns.
  virtual void OnClientBytes(std::string_view piece, bool last) = 0;
  // What was written has been sent, after Write() has said false.
  virtual void OnClientRoom() = 0;
  // The client has gone, or the worker has answered in the peer's place (a time-out). The exchange does not exist any
  // more; the last call.
  virtual void OnClientGone() = 0;

 protected:
  ~RelayPeer() = default;
};

class RelayExchange : public app::Exchange {
 public:
  // For Context::Find.
  virtual app::ExchangeId id() const = 0;
  // The head of the request, from the handler's call until the exchange ends.
  virtual const http::RequestHead& head() const = 0;
  // The answer comes later, and from `peer`'s side. Replaces a former peer. A body that was paused (PauseBody) goes on.
  virtual void Attach(RelayPeer& peer) = 0;
  // Nobody is at the other side at present: the answer comes later, the body is not read.
  virtual void Detach() = 0;

  // A 1xx head, if the client is one that understands it.
  virtual void Interim(const http::ResponseMessage& head) = 0;
  // The head of the response; Write() and EndRelayed() follow. How the body is framed for the client is decided here.
  virtual void BeginRelayed(const http::ResponseMessage& head) = 0;
  virtual void EndRelayed(absl::Span<const http::Field> trailers) = 0;
  // The response will not be completed, and the client is to see that.
  virtual void CutRelayed() = 0;
  // The head of a 101, and from here on bytes both ways, Write() for those to the client.
  virtual void BeginTunnel(const http::ResponseMessage& head) = 0;
  // The server has sent its FIN: so does the client's connection, after what is queued.
  virtual void EndTunnel() = 0;

 protected:
  ~RelayExchange() = default;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_RELAY_H_
