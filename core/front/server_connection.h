// ServerConnection: one connection to the server behind a front: a request out, its response in, again and again.
//
//   kIdle ──Ask──> kAsked ──response complete, kept──> kIdle (in the pool)
//                    ├──101, 2xx to CONNECT──> kTunnel ──both sides have ended──> (gone)
//                    └──not kept, error, or the client has gone──> (gone)
//   kIdle ──Tunnel──> kTunnel
//   kIdle ──Listen──> kListening ──the server speaks──> kTunnel
//                         └──the client speaks HTTP, or goes──> (gone)
//
// Bytes pass in the turn in which they come. A side that does not read stops the other: what the client does not take
// stays in the server's socket, and the other way round. The server has no deadline here: a request that takes long is
// the client's affair (--request-timeout).
#ifndef CORE_FRONT_SERVER_CONNECTION_H_
#define CORE_FRONT_SERVER_CONNECTION_H_

#include <string_view>

#include "core/app/app.h"
#include "core/front/pool.h"
#include "core/http/response_parser.h"
#include "core/worker/connection.h"
#include "core/worker/relay.h"

namespace uc::front {

class Front;

class ServerConnection final : public worker::Connection,
                               public worker::RelayPeer,
                               public PoolNode {
 public:
  ServerConnection(worker::Service& service, Front& front);

  // Sends the client's request with `body`, of which the rest comes later if that is not all, for the `tries`-th time.
  // The connection must be idle.
  void Ask(worker::RelayExchange& client, int tries, std::string_view body);
  // Every byte both ways, of a client that has RelayExchange::BeginRaw() behind it; for the `tries`-th time.
  void Tunnel(worker::RelayExchange& client, int tries);
  // The client says nothing. If the server does, it is a tunnel.
  void Listen(worker::RelayExchange& client);
  // Nothing has come since the last response, no end either.
  bool IsSilent() const;
  // Closes it; if it was asked, as if the server had.
  void End() { Abandon(); }

  // RelayPeer
  void OnClientBytes(std::string_view piece, bool last) override;
  void OnClientRoom() override;
  void OnClientGone() override;

  // Connection
  void BeginDrain(worker::DrainStyle) override {}
  void EndIdle() override {}

 private:
  enum class State { kIdle, kAsked, kListening, kTunnel };

  void OnOpened() override;
  void OnBytes(absl::string_view bytes) override;
  void OnEnd() override;
  void Proceed() override {}
  void OnSent() override;
  bool AcceptsBytes() override { return !client_full_; }
  void OnTimeout(worker::DeadlineKind) override {}
  worker::DeadlineKind Deadline() const override { return worker::DeadlineKind::kNone; }
  worker::DeadlineKind SendDeadline() const override { return worker::DeadlineKind::kNone; }
  bool MayMove() const override { return false; }
  bool ReadsOnWhenWritingFails() const override { return !peer_ended(); }
  void OnGone() override;

  void Answering();
  void OnHead();
  // `rest`: what stands behind the response.
  void OnComplete(absl::string_view rest);
  void BeginTunnel();
  void OnFirstWords(absl::string_view bytes);
  // Neither side has anything more to say.
  void EndTunnel();
  // The server has closed its socket: it does not read any more either. Not known of TCP before it says so.
  bool ServerHasClosed() const;
  void PassToClient(absl::string_view bytes);
  // The answer is none, or not one that two readers would read alike.
  void Refuse(absl::string_view reason);
  // The exchange is over for this connection; returns whose it was.
  worker::RelayExchange* LetGo();

  Front& front_;
  http::ResponseParser parser_;
  State state_ = State::kIdle;
  worker::RelayExchange* client_ = nullptr;  // while its exchange is ours
  int tries_ = 0;
  int interim_ = 0;               // 1xx heads of this answer
  size_t interim_bytes_ = 0;      // in them
  bool answering_ = false;        // some bytes of the response were seen
  bool begun_ = false;            // its head has been passed on
  bool tunnel_asked_ = false;     // a tunnel is a possible answer
  bool client_ended_ = false;     // of a tunnel
  bool untouched_ = false;        // a tunnel through which nothing has passed, no end either
  bool request_chunked_ = false;  // the request's body
  bool request_whole_ = false;    // all of the request has been written
  bool kept_ = false;             // the response allows another request
  bool client_full_ = false;      // it takes nothing at present
  bool client_paused_ = false;    // we take nothing of it at present
};

}  // namespace uc::front

#endif  // CORE_FRONT_SERVER_CONNECTION_H_
