// The exchanges of an HttpConnection that are passed through to a server behind the worker (relay.h).
#include <utility>

#include "core/http/forwarding.h"
#include "core/scoreboard/scoreboard.h"
#include "core/worker/http_connection.h"

namespace uc::worker {
[[gnu::hot]] void HttpConnection::Attach(RelayPeer& peer) {
  if (answer_ == Answer::kHandling) answer_ = Answer::kDeferred;
  OnBody([&peer](app::Exchange&, std::string_view piece, bool last) {
    peer.OnClientBytes(piece, last);
  });
  state().on_writable = [&peer](app::Exchange&) { peer.OnClientRoom(); };
  state().abort = [&peer] { peer.OnClientGone(); };
  state().peer = &peer;
  if (std::exchange(body_paused_, false)) Schedule();
}

void HttpConnection::Detach() {
  if (answer_ == Answer::kHandling) answer_ = Answer::kDeferred;
  ForgetPeer();
  if (reading_ == Reading::kFirst) {  // who said nothing: the gateway is asked again
    first_over_ = false;
    Schedule();
    return;
  }
  OnBody([](app::Exchange&, std::string_view, bool) {});
  body_paused_ = reading_ == Reading::kBody || reading_ == Reading::kTunnel;
}

// First, whatever the exchange has come to: the peer may be another's by the time that it would hear of it.
void HttpConnection::ForgetPeer() {
  OnBody(nullptr);
  state().on_writable = nullptr;
  state().abort = nullptr;
  state().peer = nullptr;
}

// The worker answers in the peer's place.
void HttpConnection::LeavePeer() {
  if (!HasPeer()) return;
  RelayPeer* const peer = state().peer;
  ForgetPeer();
  peer->OnClientGone();
}

void HttpConnection::Interim(const http::ResponseMessage& head) {
  if (answer_ != Answer::kDeferred || state().request.minor_version == 0) return;
  // The client has been told so already, has not asked, or has not waited.
  if (head.status == 100 && !std::exchange(continue_due_, false)) return;
  http::AppendInterimResponse(head, &output_.tail());
  Schedule();
}

[[gnu::hot]] void HttpConnection::BeginRelayed(const http::ResponseMessage& head) {
  if (answer_ != Answer::kDeferred) return;
  const http::BodyFraming framing = http::ForwardedBody(head, state().request.minor_version);
  http::ForwardedFraming how;
  how.connection = DecideClose(framing);
  how.framing = framing;
  how.content_length = head.content_length.value_or(0);
  how.date = service_.date;
  http::AppendForwardedResponse(head, how, &output_.tail());
  status_ = head.status;
  answer_ = Answer::kStreaming;
  chunked_ = framing == http::BodyFraming::kChunked;
  const bool bodiless = head.body == http::ResponseMessage::Body::kNone;
  state().promised = bodiless                                ? 0
                     : framing == http::BodyFraming::kLength ? how.content_length
                                                             : kUnknownLength;
  Schedule();
}

[[gnu::hot]] void HttpConnection::EndRelayed(absl::Span<const http::Field> trailers) {
  ForgetPeer();
  if (answer_ != Answer::kStreaming) return;
  if (!trailers.empty() && chunked_ && !head_only_) {
    http::AppendLastChunk(trailers, &output_.tail());
    chunked_ = false;
    state().promised = 0;
  }
  End();
}

void HttpConnection::CutRelayed() {
  ForgetPeer();
  if (answer_ == Answer::kStreaming) BreakOff();
}

void HttpConnection::BeginTunnel(const http::ResponseMessage& head) {
  if (answer_ != Answer::kDeferred) return;
  http::AppendUpgradeResponse(head, &output_.tail());
  status_ = 200;  // whatever it was: what follows is no body, and passes
  answer_ = Answer::kStreaming;
  chunked_ = head_only_ = said_all_ = false;
  state().promised = kUnknownLength;
  reading_ = Reading::kTunnel;
  close_after_ = true;
  Schedule();
}

// --- A connection whose protocol is not known yet ---

void HttpConnection::BeginFirst() {
  first_over_ = false;
  if (first_bytes() == FirstBytes::kTakenOver && !NothingWasRead())
    return;  // HTTP/1: no other one moves
  reading_ = Reading::kFirst;
  switch (service_.gateway->WayOf({}, Gateway::Patience::kSome)) {
    case Gateway::Way::kWait:
      return;
    case Gateway::Way::kHttp:
      first_over_ = true;
      return;
    case Gateway::Way::kTunnel:
      state_ = service_.request_states.Take();
      TakeRawWay();
      return;
  }
}

void HttpConnection::ChooseWay(absl::string_view bytes, Gateway::Patience patience) {
  std::string joined;
  if (!state().first.empty()) {
    joined = std::exchange(state().first, std::string());
    joined.append(bytes.data(), bytes.size());
    bytes = joined;
  }
  if (first_over_) patience = Gateway::Patience::kOver;
  switch (service_.gateway->WayOf({bytes.data(), bytes.size()}, patience)) {
    case Gateway::Way::kWait:
      if (bytes.empty()) {
        first_over_ = patience == Gateway::Patience::kOver &&
                      (HasPeer() || service_.gateway->HandleSilent(*this));
      } else {
        state().first.assign(bytes.data(), bytes.size());
      }
      return;
    case Gateway::Way::kHttp:
      if (bytes.empty()) {  // still nothing; what comes may yet be another protocol
        first_over_ = true;
        return;
      }
      reading_ = Reading::kIdle;
      LeavePeer();
      Parse(bytes);
      return;
    case Gateway::Way::kTunnel:
      TakeRawWay();
      OnTunnelBytes(bytes);
      return;
  }
}

void HttpConnection::TakeRawWay() {
  if (!BeginRaw()) return;
  // Whoever waits for the server's first words has the connection to it.
  if (HasPeer()) return;
  body_paused_ = true;
  service_.gateway->HandleTunnel(*this);
}

bool HttpConnection::BeginRaw() {
  if (reading_ != Reading::kFirst || finishing() || lingering()) return false;
  reading_ = Reading::kTunnel;
  answer_ = Answer::kStreaming;
  exchange_ = ++service_.last_exchange;
  ++service_.in_flight;
  state().request = {};
  state().promised = kUnknownLength;
  status_ = 200;  // what follows is no body, and passes
  chunked_ = head_only_ = said_all_ = false;
  close_after_ = raw_ = true;
  EndMove();
  Schedule();
  return true;
}

void HttpConnection::OnTunnelBytes(absl::string_view bytes) {
  if (bytes.empty() || answer_ != Answer::kStreaming) return;
  if (body_paused_) {
    Hold(bytes);
    return;
  }
  if (state().on_body) CallOnBody({bytes.data(), bytes.size()}, false);
}

void HttpConnection::OnTunnelEnd() {
  if (!HasPeer()) {
    Hold({});  // for the one that comes
    return;
  }
  if (answer_ == Answer::kStreaming && state().on_body) CallOnBody({}, true);
}

void HttpConnection::HalfCloseTunnel() {
  if (reading_ != Reading::kTunnel || answer_ != Answer::kStreaming) return;
  HalfClose();
  Schedule();
}

void HttpConnection::EndTunnel() {
  ForgetPeer();
  if (reading_ != Reading::kTunnel || answer_ != Answer::kStreaming) return;
  reading_ = Reading::kIdle;
  answer_ = Answer::kDone;
  --service_.in_flight;
  // Its duration is no latency; and without a request there is none.
  if (!raw_) scoreboard::Add(counters().requests, 1);
  Schedule();
}

}  // namespace uc::worker
