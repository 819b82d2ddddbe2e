// HttpConnection: HTTP/1.1 on one connection: requests in, one exchange at a time, responses in order.
//
//   kIdle ──head──> kBody ──complete──> (handler) ──answered──> kIdle
//     (no body: at once)   └─ answered before its end ─> kDiscard ─> kIdle
//   the handler may leave the exchange open (Defer, Begin): kAnswering until End
//   a gateway may turn the connection into a tunnel (BeginTunnel): kTunnel until it ends
//   before a gateway: kFirst, until the first bytes tell the protocol ──HTTP/1──> kIdle, ──BeginRaw──> kTunnel
//
// All responses of one read are written into one buffer and leave in one send. While a response is
// pending, later requests are held, and past a bound the peer is not read from.
#ifndef CORE_WORKER_HTTP_CONNECTION_H_
#define CORE_WORKER_HTTP_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "core/app/app.h"
#include "core/base/check.h"
#include "core/http/parser.h"
#include "core/http/writer.h"
#include "core/worker/connection.h"
#include "core/worker/outgoing.h"
#include "core/worker/relay.h"
#include "core/worker/request_state.h"

namespace uc::worker {

class HttpConnection final : public Connection, public RelayExchange {
 public:
  explicit HttpConnection(Service& service) : Connection(service) {}

  // The exchange with this serial number, if it still waits for its response.
  app::Exchange* FindExchange(uint32_t serial) {
    return open() && exchange_ == serial && Pending() && answer_ != Answer::kBroken ? this
                                                                                    : nullptr;
  }

  // app::Exchange
  const app::Request& request() const override { return state().request; }
  void Send(const app::Response& response) override;
  void SendFile(const app::Response& response, int fd, uint64_t offset, uint64_t length) override;
  void Begin(const app::Response& head, uint64_t length) override;
  bool Write(std::string_view bytes) override;
  void OnWritable(std::function<void(app::Exchange&)> writable) override;
  void End() override;
  app::ExchangeId Defer() override;
  void OnBody(std::function<void(app::Exchange&, std::string_view, bool)> body) override;
  void PauseBody() override { body_paused_ = true; }
  void ResumeBody() override;
  void OnAbort(std::function<void()> abort) override {
    if (state_ != nullptr) state_->abort = std::move(abort);
  }
  std::string peer() const override { return PeerText(); }

  // RelayExchange
  app::ExchangeId id() const override { return uint64_t{index()} << 32 | exchange_; }
  const http::RequestHead& head() const override { return state().parser.head(); }
  void Attach(RelayPeer& peer) override;
  void Detach() override;
  void Interim(const http::ResponseMessage& head) override;
  void BeginRelayed(const http::ResponseMessage& head) override;
  void EndRelayed(absl::Span<const http::Field> trailers) override;
  void CutRelayed() override;
  absl::Span<const http::Field> trailers() const override { return state().parser.trailers(); }
  void BeginTunnel(const http::ResponseMessage& head) override;
  bool BeginRaw() override;
  bool raw() const override { return raw_; }
  void HalfCloseTunnel() override;
  void EndTunnel() override;

  // Connection
  void BeginDrain(DrainStyle style) override;
  void EndIdle() override;

 private:
  enum class Reading { kFirst, kIdle, kBody, kDiscard, kTunnel };
  // kBroken: begun, and never to be completed; the end of the connection says so.
  enum class Answer { kNone, kHandling, kDeferred, kStreaming, kBroken, kDone };

  void OnOpened() override;
  void OnBytes(absl::string_view bytes) override;
  void OnEnd() override;
  void Proceed() override;
  void OnSent() override;
  bool AcceptsBytes() override;
  // A body that waits for memory waits in the socket.
  size_t HeldBytesMax() const override { return BodyWaits() ? 1 : Connection::HeldBytesMax(); }
  void OnTimeout(DeadlineKind kind) override;
  DeadlineKind Deadline() const override;
  // Who passes bytes that mean nothing to us does not know how long a pause may be.
  DeadlineKind SendDeadline() const override {
    return raw_ ? DeadlineKind::kNone : Connection::SendDeadline();
  }
  bool PeerHasSaidAll() const override {
    return said_all_ && reading_ == Reading::kIdle && !holding() && !MidMessage();
  }
  bool MayMove() const override { return IsIdle() && !finishing() && !peer_ended() && !writing(); }
  void OnGone() override;

  // True while a begun exchange has no complete response.
  bool Pending() const {
    return answer_ == Answer::kHandling || answer_ == Answer::kDeferred ||
           answer_ == Answer::kStreaming || answer_ == Answer::kBroken;
  }
  bool HasPeer() const { return state_ != nullptr && state_->peer != nullptr; }
  bool BodyWaits() const { return state_ != nullptr && state_->claim.waiting(); }
  void ClaimBody();
  void FreeBody() {
    if (state_ != nullptr && state_->claim.state != BodyClaim::State::kNone) ReleaseBody();
  }
  void ReleaseBody();
  void Continue();
  void Parse(absl::string_view bytes);
  void OnHead();
  void OnPiece(absl::string_view piece);
  void OnComplete();
  void OnParseError(const http::Step& step);
  void Refuse(int status);
  void Reject(int status);
  void BreakOff();
  void Forsake();
  void CallOnBody(std::string_view piece, bool last);
  void Unanswered();
  void CallHandler();
  void FillRequest();
  // The bytes of the head go with this turn; the exchange stays.
  void RetainRequest();
  template <typename Callback>
  void Guarded(const Callback& callback);
  void HandlerFailed(std::string_view what);
  std::string ShownTarget() const;  // for a log line
  void AppendHead(const app::Response& response, http::BodyFraming framing, uint64_t length);
  void AppendBody(std::string_view body);
  // Whether the connection ends with the response that is about to begin.
  http::ConnectionField DecideClose(http::BodyFraming framing);
  // Of an exchange that is passed through; see http_relay.cc.
  void BeginFirst();
  // The way of `bytes`, which come behind those that did not tell it.
  void ChooseWay(absl::string_view bytes, Gateway::Patience patience);
  void TakeRawWay();
  void OnTunnelBytes(absl::string_view bytes);
  void OnTunnelEnd();
  void LeavePeer();
  void ForgetPeer();
  void Answered();
  void NextExchange();
  // Gives the state back if no request is under way.
  void Rest();
  void CountAnswer();
  void CountQuickAnswers();
  bool IsIdle() const;
  bool MidMessage() const {
    return state_ != nullptr && (state_->parser.mid_message() || !state_->first.empty());
  }
  // There is one from the first byte of a request until Rest().
  RequestState& state() const {
    UC_CHECK(state_ != nullptr);
    return *state_;
  }
  bool Bodiless(int status) const { return status == 204 || status == 304 || status < 200; }

  std::unique_ptr<RequestState> state_;
  Reading reading_ = Reading::kIdle;
  Answer answer_ = Answer::kNone;
  uint32_t exchange_ = 0;
  int64_t begun_ns_ = 0;  // the turn in which the head was complete
  int status_ = 0;
  uint32_t quick_answers_ = 0;  // of this receive, not yet in the histogram
  bool head_only_ = false;      // HEAD
  bool chunked_ = false;        // the response being streamed
  bool close_after_ = false;
  bool said_all_ = false;      // the client ends with this request, which has no body
  bool continue_due_ = false;  // the client waits for 100 Continue
  bool body_paused_ = false;
  bool body_rebound_ = false;  // OnBody was called from within a body callback
  bool wants_writable_ = false;
  bool calling_ = false;     // the app is on the stack
  bool raw_ = false;         // a tunnel without a request
  bool first_over_ = false;  // while kFirst: the time for first bytes is over
};

}  // namespace uc::worker

#endif  // CORE_WORKER_HTTP_CONNECTION_H_
