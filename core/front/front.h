// Front: an app of ours that passes each request to a server behind the worker and its response back.
//
// The worker has the clients, with everything that a native worker can (hand-over, steering, time-outs); the server
// has a set of connections, kept and used again (pool.h). A request that finds the server's places taken, or no server,
// waits in a queue (request_queue.h), and is refused with 503 when that is full or its time is over. A request whose
// connection ends before its answer is sent again if that is safe (retry.h), else it is answered with 502.
// Clients that do not speak HTTP/1 (protocol_choice.h) get a connection to the server each, and every byte passes.
#ifndef CORE_FRONT_FRONT_H_
#define CORE_FRONT_FRONT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/app/app.h"
#include "core/front/collected_body.h"
#include "core/front/endpoint.h"
#include "core/front/pool.h"
#include "core/front/protocol_choice.h"
#include "core/front/request_queue.h"
#include "core/front/retry.h"
#include "core/net/networks.h"
#include "core/worker/outgoing.h"
#include "core/worker/relay.h"
#include "core/worker/service.h"

namespace uc::front {

class ServerConnection;

struct FrontOptions {
  std::optional<Endpoint> server;  // nullopt: there is none until ServeBy()
  size_t in_flight_max = 0;        // requests that the server has at one time; 0: no bound
  size_t waiting_max = 1024;       // requests that wait
  absl::Duration wait_max = absl::Seconds(5);
  worker::ClientProtocol protocol = worker::ClientProtocol::kAuto;
  net::Networks trusted_proxies;
};

class Front final : public app::App, public worker::Gateway {
 public:
  explicit Front(const FrontOptions& options)
      : options_(options),
        server_(options.server),
        queue_(options.waiting_max, absl::ToInt64Nanoseconds(options.wait_max)),
        choice_(options.protocol) {}

  // worker::Gateway
  void Join(worker::Service& service, worker::Outgoing& outgoing,
            worker::GatewayLoop& loop) override;
  Way WayOf(std::string_view first_bytes, Patience patience) override {
    return choice_.Of({first_bytes.data(), first_bytes.size()}, patience);
  }
  void HandleTunnel(worker::RelayExchange& client) override;
  bool HandleSilent(worker::RelayExchange& client) override;

  // app::App
  app::Options options() const override {
    return {.protocol = app::Protocol::kHttp,
            .body_mode = app::BodyMode::kStreamed,
            .body_bytes_max = ~std::uint64_t{0}};
  }
  void Start(app::Context& context) override { context_ = &context; }
  void Handle(app::Exchange& exchange) override;

  // Where clients connect is known, or more of it.
  void TakeAddresses();
  // The Host of a request that has none, and of our own.
  const std::string& default_host() const { return default_host_; }
  // Requests go there from now on, those that wait first.
  void ServeBy(const Endpoint& server);
  // Requests wait until then.
  void ServeByNone() { server_.reset(); }
  // 503 to those that wait, or the end of their connection.
  void RefuseWaiting();
  // Some wait, or the server has them; not tunnels.
  bool HasRequests() const { return pool_.in_flight() > 0 || !queue_.empty(); }
  // How many the server has begun to answer.
  uint64_t answers_begun() const { return answers_begun_; }

  // --- What a ServerConnection says ---
  void AppendRequest(const worker::RelayExchange& client, std::string* out) const;
  // The first byte of a response has come.
  void OnAnswering(ServerConnection& connection);
  // The response is complete, and the connection is good for another request.
  void OnKept(ServerConnection& connection);
  // It is a request no longer, and takes no place of one.
  void OnTunnel(ServerConnection& connection);
  void OnGone(ServerConnection& connection);
  // The connection has ended, and nothing of an answer has been passed on.
  void OnUnanswered(worker::RelayExchange& client, int tries, Reached reached);
  // So has one that was a tunnel, and nothing has passed: the server may never have accepted it.
  void OnUntouched(worker::RelayExchange& client, int tries);
  void OnBadAnswer(absl::string_view reason);
  // The server has answered a request in HTTP/1.
  void OnHttp() {
    if (choice_.ServerMaySpeakFirst()) ServerAnswersHttp();
  }
  // It has spoken before its client.
  void OnFirstWords();

 private:
  enum class Sent { kYes, kNoPlace, kNoServer };
  // Sends the request with what there is of its body, or waits.
  void Serve(worker::RelayExchange& client, std::string body);
  void Collect(worker::RelayExchange& client);
  Sent TrySend(worker::RelayExchange& client, int tries, std::string_view body);
  Sent TryTunnel(worker::RelayExchange& client, int tries);
  void ServerAnswersHttp();
  ServerConnection* TakeKept(Wants wants);
  ServerConnection* Connect();
  void Wait(worker::RelayExchange& client, int tries, std::string body = {});
  // Soon: not within the last call of a connection.
  void ServeWaitingSoon();
  void ServeWaiting();
  worker::RelayExchange* Find(app::ExchangeId id) const;
  bool HasPlace() const {
    return options_.in_flight_max == 0 || pool_.in_flight() < options_.in_flight_max;
  }
  void CloseSurplus();
  void RefuseFirst();
  void RefuseExpired();
  void ArmTick();
  void Tick();

  const FrontOptions options_;
  std::optional<Endpoint> server_;
  worker::Service* service_ = nullptr;
  worker::Outgoing* outgoing_ = nullptr;
  worker::GatewayLoop* loop_ = nullptr;
  app::Context* context_ = nullptr;
  std::string default_host_;
  Pool pool_;
  RequestQueue queue_;
  uint64_t answers_begun_ = 0;
  std::map<app::ExchangeId, CollectedBody> collecting_;
  ProtocolChoice choice_;
  bool tick_armed_ = false;
  int64_t complain_at_ns_ = 0;
};

}  // namespace uc::front

#endif  // CORE_FRONT_FRONT_H_
