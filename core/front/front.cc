#include "core/front/front.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/front/server_connection.h"
#include "core/http/forwarding.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

constexpr int64_t kComplainEveryNs = 1'000'000'000;
constexpr std::chrono::milliseconds kTick(100);
constexpr int64_t kLaterNs = 90'000'000;

// The callbacks of a peer that does not exist any more go first.
void Refuse(worker::RelayExchange& client, const app::Response& response) {
  client.Detach();
  client.Send(response);
}

void RefuseBadGateway(worker::RelayExchange& client) {
  Refuse(client, {.status = 502, .body = "502 Bad Gateway\n"});
}

void RefuseBusy(worker::RelayExchange& client) {
  if (client.raw()) {
    client.CutRelayed();
    return;
  }
  const app::Header retry[] = {{"Retry-After", "1"}};
  Refuse(client, {.status = 503, .headers = retry, .body = "503 Service Unavailable\n"});
}

// "127.0.0.1:40122", "[::1]:40122" without the port and the brackets.
absl::string_view HostOf(absl::string_view peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.size() > 2 && peer.front() == '[') peer = peer.substr(1, peer.size() - 2);
  return peer.empty() ? "unknown" : peer;
}

}  // namespace

void Front::Join(worker::Service& service, worker::Outgoing& outgoing, worker::GatewayLoop& loop) {
  service_ = &service;
  outgoing_ = &outgoing;
  loop_ = &loop;
  TakeAddresses();
}

void Front::TakeAddresses() {
  const std::vector<int> listeners = loop_->listeners();
  if (listeners.empty()) return;
  const absl::StatusOr<net::Address> first = net::LocalAddress(listeners[0]);
  if (first.ok()) default_host_ = first->ToHost();
}

void Front::ServeBy(const Endpoint& server) {
  server_ = server;
  ServeWaitingSoon();
}

// The exchanges of a gateway are those of our own HttpConnection.
void Front::Handle(app::Exchange& exchange) {
  auto& client = static_cast<worker::RelayExchange&>(exchange);
  if (CollectedBody::IsFor(client.head(), service_->output_share)) {
    Collect(client);
  } else {
    Serve(client, {});
  }
}

void Front::Collect(worker::RelayExchange& client) {
  const app::ExchangeId id = client.id();
  const auto body = collecting_.try_emplace(
      id,
      [this, &client, id](std::string whole) {
        collecting_.erase(id);
        Serve(client, std::move(whole));
      },
      [this, id] { collecting_.erase(id); });
  client.Attach(body.first->second);
}

void Front::Serve(worker::RelayExchange& client, std::string body) {
  if (queue_.empty() && TrySend(client, 1, body) == Sent::kYes) return;
  Wait(client, 1, std::move(body));
}

void Front::HandleTunnel(worker::RelayExchange& client) {
  if (TryTunnel(client, 1) != Sent::kYes) Wait(client, 1);
}

bool Front::HandleSilent(worker::RelayExchange& client) {
  if (!choice_.ServerMaySpeakFirst()) return true;
  ServerConnection* const connection = Connect();
  if (connection == nullptr) return false;
  pool_.Listen(*connection, service_->now_ns);
  connection->Listen(client);
  ArmTick();
  return true;
}

// A tunnel takes no place of a request.
Front::Sent Front::TryTunnel(worker::RelayExchange& client, int tries) {
  ServerConnection* const connection = Connect();
  if (connection == nullptr) return Sent::kNoServer;
  connection->Tunnel(client, tries);
  return Sent::kYes;
}

Front::Sent Front::TrySend(worker::RelayExchange& client, int tries, std::string_view body) {
  if (client.raw()) return TryTunnel(client, tries);
  if (!HasPlace()) return Sent::kNoPlace;
  ServerConnection* connection = TakeKept(WantsOf(client.head(), tries));
  if (connection == nullptr) connection = Connect();
  if (connection == nullptr) return Sent::kNoServer;
  pool_.Ask(*connection, service_->now_ns);
  connection->Ask(client, tries, body);
  return Sent::kYes;
}

ServerConnection* Front::TakeKept(Wants wants) {
  while (PoolNode* const node = pool_.Take(wants, service_->now_ns)) {
    auto* const connection = static_cast<ServerConnection*>(node);
    // The server may have ended it in this very turn; and what it has sent unasked must not pass for the answer.
    if (connection->IsSilent()) return connection;
    connection->End();
  }
  return nullptr;
}

ServerConnection* Front::Connect() {
  if (!server_.has_value()) return nullptr;
  absl::StatusOr<Fd> fd = server_->Connect();
  if (!fd.ok()) {
    OnBadAnswer(fd.status().message());
    return nullptr;
  }
  worker::Connection& connection = outgoing_->Open(
      *std::move(fd), [this] { return std::make_unique<ServerConnection>(*service_, *this); });
  return static_cast<ServerConnection*>(&connection);
}

void Front::Wait(worker::RelayExchange& client, int tries, std::string body) {
  // A server that ends refuses connections, or resets them, for some milliseconds: the last try is not for these.
  const int64_t not_before = tries > 2 ? service_->now_ns + kLaterNs : 0;
  if (queue_.Push(client.id(), tries, service_->now_ns, not_before, std::move(body)) ==
      RequestQueue::Pushed::kFull) {
    RefuseBusy(client);
    return;
  }
  client.Detach();
  ArmTick();
}

void Front::ServeWaiting() {
  while (!queue_.empty()) {
    const WaitingRequest& next = queue_.first();
    if (next.not_before_ns > service_->now_ns) return;
    worker::RelayExchange* const client = Find(next.id);
    if (client != nullptr && TrySend(*client, next.tries, next.body) != Sent::kYes) return;
    queue_.Pop();
  }
}

worker::RelayExchange* Front::Find(app::ExchangeId id) const {
  return static_cast<worker::RelayExchange*>(context_->Find(id));
}

void Front::AppendRequest(const worker::RelayExchange& client, std::string* out) const {
  const std::string peer = client.peer();
  http::ForwardedClient told;
  told.address = HostOf(peer);
  if (!options_.trusted_proxies.empty()) {
    const absl::StatusOr<net::Address> address = net::Address::Parse(peer);
    const bool trusted = address.ok() && options_.trusted_proxies.Contain(*address);
    if (trusted) told.trust = http::ForwardedClient::Trust::kAppend;
  }
  told.proto = "http";
  told.default_host = default_host_;
  http::AppendForwardedRequest(client.head(), told, out);
}

void Front::OnAnswering(ServerConnection& connection) {
  ++answers_begun_;
  pool_.Answering(connection, service_->now_ns);
}

void Front::OnKept(ServerConnection& connection) {
  pool_.Keep(connection, service_->now_ns);
  ServeWaiting();
  ArmTick();
}

void Front::OnTunnel(ServerConnection& connection) {
  pool_.Remove(connection);
  ServeWaitingSoon();
}

void Front::OnGone(ServerConnection& connection) {
  pool_.Remove(connection);
  ServeWaitingSoon();
}

void Front::ServerAnswersHttp() {
  choice_.ServerAnswersHttp();
  // Who says nothing is a client of HTTP/1 that has not asked yet.
  while (PoolNode* const node = pool_.Listening()) static_cast<ServerConnection*>(node)->End();
}

void Front::OnFirstWords() {
  if (!choice_.ServerMaySpeakFirst()) return;
  choice_.ServerSpeaksFirst();
  loop_->AcceptAtOnce();
}

void Front::ServeWaitingSoon() {
  if (queue_.empty() || !HasPlace()) return;
  context_->Post([this] { ServeWaiting(); });
}

void Front::OnUnanswered(worker::RelayExchange& client, int tries, Reached reached) {
  if (!MayTryAgain(client.head(), tries, reached)) {
    RefuseBadGateway(client);
    return;
  }
  Wait(client, tries + 1);
  ServeWaitingSoon();
}

void Front::OnUntouched(worker::RelayExchange& client, int tries) {
  if (tries >= kTriesMax) {
    client.EndTunnel();
    return;
  }
  Wait(client, tries + 1);
  ServeWaitingSoon();
}

void Front::OnBadAnswer(absl::string_view reason) {
  if (service_->now_ns < complain_at_ns_) return;
  complain_at_ns_ = service_->now_ns + kComplainEveryNs;
  LogWarning(absl::StrCat("the server behind this worker: ", reason));
}

// --- Time ---

void Front::ArmTick() {
  if (std::exchange(tick_armed_, true)) return;
  context_->After(kTick, [this] { Tick(); });
}

void Front::Tick() {
  tick_armed_ = false;
  queue_.DropGone([this](app::ExchangeId id) { return Find(id) == nullptr; });
  ServeWaiting();
  RefuseExpired();
  CloseSurplus();
  if (!queue_.empty() || pool_.kept() > 0 || pool_.listening() > 0) ArmTick();
}

void Front::RefuseFirst() {
  worker::RelayExchange* const client = Find(queue_.first().id);
  queue_.Pop();
  if (client != nullptr) RefuseBusy(*client);
}

void Front::RefuseWaiting() {
  while (!queue_.empty()) RefuseFirst();
}

void Front::RefuseExpired() {
  while (queue_.FirstExpired(service_->now_ns)) RefuseFirst();
}

void Front::CloseSurplus() {
  while (PoolNode* const node = pool_.Surplus(service_->now_ns)) {
    static_cast<ServerConnection*>(node)->End();  // takes itself off the pool
  }
}

}  // namespace uc::front
