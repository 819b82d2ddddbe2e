// Relay: a client's exchange that is passed through to a server behind the worker: what a gateway needs of an
// HttpConnection beyond app::Exchange. Internal: apps in shared objects see none of it.
//
//   Handle(exchange) ──Attach(peer)──> body pieces to the peer ──BeginRelayed, Write..., EndRelayed──> (done)
//                                          └──BeginTunnel──> bytes both ways ──EndTunnel, OnClientGone──> (done)
//   (not HTTP/1, or silent) ──BeginRaw──> bytes both ways ──EndTunnel, OnClientGone──> (done)
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
  // Of the request that the peer has heard the last piece of.
  virtual absl::Span<const http::Field> trailers() const = 0;
  // The head of a 101, or of a 2xx to CONNECT, and from here on bytes both ways, Write() for those to the client.
  virtual void BeginTunnel(const http::ResponseMessage& head) = 0;
  // The same without any head, from the first byte on. False: the client is about to go.
  virtual bool BeginRaw() = 0;
  // It is one: there is no request, and no answer of ours that the client would understand.
  virtual bool raw() const = 0;
  // The server has sent its FIN: so does the client's connection, after what is queued. The client may go on.
  virtual void HalfCloseTunnel() = 0;
  // The tunnel is over: the client's connection ends after what is queued.
  virtual void EndTunnel() = 0;

 protected:
  ~RelayExchange() = default;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_RELAY_H_
