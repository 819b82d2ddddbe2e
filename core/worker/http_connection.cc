#include "core/worker/http_connection.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/ascii_target.h"
#include "core/scoreboard/histogram.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::worker {
namespace {

constexpr uint64_t kDiscardBytesMax =
    256 * 1024;  // of a body that nobody reads; then the connection ends
// Copying as much costs what a second piece in the call to send costs.
constexpr size_t kLargeBodyBytes = 4 * 1024;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// Grows to what was claimed and no further: doubling could take twice as much.
void AppendToBody(absl::string_view piece, RequestState* state) {
  std::string& body = state->body;
  const size_t size = body.size() + piece.size();
  if (size > body.capacity() && 2 * body.capacity() > state->claim.bytes) {
    body.reserve(std::max(size, state->claim.bytes));
  }
  body.append(piece.data(), piece.size());
}

}  // namespace

[[gnu::hot]] void HttpConnection::OnOpened() {
  FreeBody();
  if (state_ != nullptr) service_.request_states.Give(std::move(state_));
  reading_ = Reading::kIdle;
  answer_ = Answer::kNone;
  close_after_ = said_all_ = raw_ = false;
  NextExchange();
  if (service_.gateway != nullptr) BeginFirst();
}

[[gnu::hot]] void HttpConnection::NextExchange() {
  FreeBody();
  if (state_ != nullptr) state_->Clear();
  body_paused_ = wants_writable_ = continue_due_ = false;
}

[[gnu::hot]] void HttpConnection::Rest() {
  if (state_ == nullptr || (reading_ != Reading::kIdle && reading_ != Reading::kFirst) ||
      answer_ != Answer::kNone || !state_->parser.pristine() || HasPeer() ||
      !state_->first.empty()) {
    return;
  }
  FreeBody();
  service_.request_states.Give(std::move(state_));
}

bool HttpConnection::IsIdle() const {
  return (reading_ == Reading::kIdle || reading_ == Reading::kFirst) && !Pending() &&
         !MidMessage() && !holding() && output_.empty();
}

[[gnu::hot]] bool HttpConnection::AcceptsBytes() {
  // The two ways of what is passed through do not wait for each other, as they would not without us.
  if (reading_ == Reading::kTunnel || (reading_ == Reading::kBody && HasPeer())) {
    return !body_paused_;
  }
  if (output_.memory_bytes() > service_.output_share) return false;
  if (reading_ == Reading::kBody) return !body_paused_ && !BodyWaits();
  if (Pending()) return false;
  // No request is begun behind a file, which holds a descriptor, nor without a share of the turn.
  return reading_ == Reading::kDiscard || (output_.segments() == 0 && Share() > 0);
}

[[gnu::hot]] void HttpConnection::OnBytes(absl::string_view bytes) {
  if (state_ == nullptr) state_ = service_.request_states.Take();
  if (reading_ == Reading::kFirst) [[unlikely]] {
    ChooseWay(bytes, Gateway::Patience::kSome);
  } else {
    Parse(bytes);
  }
  CountQuickAnswers();
  if (open()) Rest();
}

[[gnu::hot]] void HttpConnection::Parse(absl::string_view bytes) {
  while (open() && !finishing()) {
    if (reading_ == Reading::kTunnel) return OnTunnelBytes(bytes);
    // A message completes without further bytes; none begins without.
    if (bytes.empty() && reading_ == Reading::kIdle) return;
    if (!AcceptsBytes()) {
      Hold(bytes);
      return;
    }
    const http::Step step = state_->parser.Next(bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.kind) {
      case http::Step::Kind::kNeedMore:
        return;
      case http::Step::Kind::kHead:
        OnHead();
        break;
      case http::Step::Kind::kBody:
        OnPiece(step.body);
        break;
      case http::Step::Kind::kComplete:
        OnComplete();
        break;
      case http::Step::Kind::kError:
        OnParseError(step);
        return;
    }
  }
}

[[gnu::hot]] void HttpConnection::OnHead() {
  const http::RequestHead& head = state().parser.head();
  NextExchange();
  // The time of the next head, whose beginning may be here already, begins now.
  if (kind == DeadlineKind::kHeader) service_.deadlines.Set(*this, kind, service_.now_ns);
  begun_ns_ = service_.now_ns;
  UseShare(Turn::kRequestBytes);
  reading_ = Reading::kBody;
  answer_ = Answer::kNone;
  state().body_bytes = 0;
  head_only_ = head.method == "HEAD";
  close_after_ = !head.keep_alive;
  said_all_ = false;
  if (head.content_length.value_or(0) > service_.app_options.body_bytes_max) {
    Refuse(413);
    return;
  }
  const bool has_body = head.chunked || head.content_length.value_or(0) > 0;
  said_all_ = !head.keep_alive && !has_body;
  if (!has_body) return;
  state().parser.RetainHead();
  continue_due_ = head.expects_continue;
  if (service_.app_options.body_mode == app::BodyMode::kStreamed) {
    CallHandler();
    return;
  }
  ClaimBody();
  switch (state().claim.state) {
    case BodyClaim::State::kNone:
      Refuse(503);  // too many wait
      return;
    case BodyClaim::State::kWaiting:
      return;
    case BodyClaim::State::kHeld:
      Continue();
      return;
  }
}

void HttpConnection::Continue() {
  if (!std::exchange(continue_due_, false)) return;
  output_.tail().append(http::kContinueResponse.data(), http::kContinueResponse.size());
}

// A chunked body may become as large as the app allows.
void HttpConnection::ClaimBody() {
  const uint64_t largest = std::min<uint64_t>(service_.app_options.body_bytes_max, SIZE_MAX);
  const uint64_t bytes = state().parser.head().content_length.value_or(largest);
  service_.bodies.Claim(state().claim, this, static_cast<size_t>(bytes));
}

void HttpConnection::ReleaseBody() {
  state_->DropBody();
  service_.bodies.Release(state_->claim);
  for (Connection* next : service_.bodies.granted()) next->Schedule();
  service_.bodies.granted().clear();
}

void HttpConnection::OnPiece(absl::string_view piece) {
  state().body_bytes += piece.size();
  if (reading_ == Reading::kBody) continue_due_ = false;  // it has not waited
  if (reading_ == Reading::kDiscard) {
    if (state().body_bytes > kDiscardBytesMax) {
      close_after_ = true;
      FinishWriting();
    }
    return;
  }
  if (state().body_bytes > service_.app_options.body_bytes_max) {
    Reject(413);
    return;
  }
  if (service_.app_options.body_mode == app::BodyMode::kWhole) {
    AppendToBody(piece, &state());
  } else if (state().on_body) {
    const uint32_t serial = exchange_;
    CallOnBody(ToStd(piece), false);
    if (open() && exchange_ == serial && answer_ == Answer::kDone) Answered();
  }
}

[[gnu::hot]] void HttpConnection::OnComplete() {
  const bool discarded = reading_ == Reading::kDiscard;
  reading_ = Reading::kIdle;
  service_.bodies.Shrink(state().claim, static_cast<size_t>(state().body_bytes));
  if (discarded) {
    answer_ = Answer::kNone;
    return;
  }
  if (answer_ == Answer::kNone) CallHandler();
  if (open() && Pending() && state().on_body) CallOnBody({}, true);
  if (open() && answer_ == Answer::kHandling) Unanswered();
  if (open() && answer_ == Answer::kDone) Answered();
}

[[gnu::cold]] void HttpConnection::OnParseError(const http::Step& step) {
  if (reading_ == Reading::kIdle) head_only_ = false;  // the former request's
  Reject(step.status);
}

// The request cannot go on: its answer if none is under way, and the end of the connection.
[[gnu::cold]] void HttpConnection::Reject(int status) {
  switch (answer_) {
    case Answer::kNone:
    case Answer::kHandling:
    case Answer::kDeferred:
      Refuse(status);
      return;
    case Answer::kStreaming:
      BreakOff();
      return;
    case Answer::kBroken:
    case Answer::kDone:
      FinishWriting();
      return;
  }
}

// The response will not be completed. Earlier ones are still sent, and what there is of this one; an end
// before the promised length or the last chunk tells the client. The rest waits for Proceed(): the app
// may be on the stack.
[[gnu::cold]] void HttpConnection::BreakOff() {
  answer_ = Answer::kBroken;
  FinishWriting();
  Schedule();
}

// The exchange is over without a response of the app.
[[gnu::cold]] void HttpConnection::Forsake() {
  if (!Pending()) return;
  --service_.in_flight;
  answer_ = Answer::kNone;
  state().peer = nullptr;  // it hears of it by `abort`
  if (!state().abort) return;
  const auto abort = std::exchange(state().abort, nullptr);
  Guarded([&] { abort(); });
}

void HttpConnection::Proceed() {
  if (reading_ == Reading::kBody && answer_ == Answer::kNone && !BodyWaits()) Continue();
  if (answer_ == Answer::kBroken) Forsake();
  Answered();
  Rest();
}

// An answer of ours, and the end of the connection.
[[gnu::cold]] void HttpConnection::Refuse(int status) {
  Forsake();
  FreeBody();
  said_all_ = continue_due_ = false;
  scoreboard::Add(status == 503 ? counters().responses_5xx : counters().bad_requests, 1);
  http::AppendErrorResponse(status, service_.date,
                            head_only_ ? http::ErrorBody::kOmit : http::ErrorBody::kInclude,
                            &output_.tail());
  answer_ = Answer::kNone;
  FinishWriting();
}

template <typename Callback>
void HttpConnection::Guarded(const Callback& callback) {
  const bool outer = std::exchange(calling_, true);
  try {
    callback();
  } catch (const std::exception& error) {
    HandlerFailed(error.what());
  } catch (...) {
    HandlerFailed("an exception of unknown type");
  }
  calling_ = outer;
}

[[gnu::cold]] void HttpConnection::HandlerFailed(std::string_view what) {
  LogWarning(absl::StrCat("the app threw while handling ", ToAbsl(state().request.method), " ",
                          ShownTarget(), ": ", ToAbsl(what)));
  if (!open()) return;
  LeavePeer();
  if (answer_ == Answer::kHandling || answer_ == Answer::kDeferred) {
    Send({.status = 500, .body = "500 Internal Server Error\n"});
  } else if (answer_ == Answer::kStreaming) {
    BreakOff();
  }
}

[[gnu::cold]] std::string HttpConnection::ShownTarget() const {
  return http::AsciiTarget(ToAbsl(state().request.target.substr(0, 200)));
}

// The callback is not in its place while it runs: it may put another one there.
void HttpConnection::CallOnBody(std::string_view piece, bool last) {
  auto body = std::exchange(state().on_body, nullptr);
  body_rebound_ = false;
  Guarded([&] { body(*this, piece, last); });
  if (open() && !body_rebound_) state().on_body = std::move(body);
}

[[gnu::cold]] void HttpConnection::Unanswered() {
  LogWarning(absl::StrCat("the app returned without an answer to ", ToAbsl(state().request.method),
                          " ", ShownTarget()));
  Send({.status = 500, .body = "500 Internal Server Error\n"});
}

[[gnu::hot]] void HttpConnection::FillRequest() {
  RequestState& now = state();
  const http::RequestHead& head = now.parser.head();
  now.headers.clear();
  for (const http::Field& field : head.fields) {
    now.headers.push_back({ToStd(field.name), ToStd(field.value)});
  }
  app::Request& request = now.request;
  request.method = ToStd(head.method);
  request.target = ToStd(head.target);
  const size_t mark = request.target.find('?');
  request.path = request.target.substr(0, mark);
  request.query =
      mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1);
  request.minor_version = head.minor_version;
  request.headers = now.headers;
  request.body = now.body;
}

void HttpConnection::RetainRequest() {
  state().parser.RetainHead();
  FillRequest();
}

[[gnu::hot]] void HttpConnection::CallHandler() {
  FillRequest();
  answer_ = Answer::kHandling;
  exchange_ = ++service_.last_exchange;
  ++service_.in_flight;
  Guarded([&] { service_.app.Handle(*this); });
  if (!open()) return;
  if (answer_ == Answer::kHandling && !state().on_body) Unanswered();
  if (Pending()) {
    RetainRequest();
    // What is passed through waits for the server's word (Interim).
    if (state().on_body && service_.gateway == nullptr) Continue();
    // Its time begins now, also when the exchange before it was deferred as well.
    if (kind == DeadlineKind::kRequest) {
      service_.deadlines.Set(*this, DeadlineKind::kRequest, service_.now_ns);
    }
  } else if (reading_ == Reading::kBody) {
    Answered();
  }
}

// The response is complete: account for it and make way for the next request.
[[gnu::hot]] void HttpConnection::Answered() {
  if (answer_ != Answer::kDone) return;
  if (reading_ == Reading::kBody) {
    // The body has not come to its end. Who waits for 100 Continue may never send it.
    reading_ = Reading::kDiscard;
    if (continue_due_) close_after_ = true;
  } else {
    answer_ = Answer::kNone;
    FreeBody();
  }
  if (close_after_) FinishWriting();
}

[[gnu::hot]] http::ConnectionField HttpConnection::DecideClose(http::BodyFraming framing) {
  // Not because the peer has ended: requests of it may be held, and OnEnd() comes behind them.
  if ((service_.draining && !service_.moving) || continue_due_) close_after_ = true;
  if (framing == http::BodyFraming::kUntilClose) close_after_ = true;
  return close_after_                         ? http::ConnectionField::kClose
         : state().request.minor_version == 0 ? http::ConnectionField::kKeepAlive
                                              : http::ConnectionField::kNone;
}

[[gnu::hot]] void HttpConnection::AppendHead(const app::Response& response,
                                             http::BodyFraming framing, uint64_t length) {
  absl::InlinedVector<http::Field, 8> fields;
  if (!response.content_type.empty())
    fields.push_back({"Content-Type", ToAbsl(response.content_type)});
  for (const app::Header& header : response.headers) {
    fields.push_back({ToAbsl(header.name), ToAbsl(header.value)});
  }
  const http::ConnectionField connection = DecideClose(framing);
  status_ = response.status >= 200 && response.status <= 999 ? response.status : 500;
  http::ResponseHead head;
  head.status = status_;
  head.fields = fields;
  head.date = service_.date;
  head.framing = Bodiless(status_) ? http::BodyFraming::kNone : framing;
  head.content_length = length;
  head.connection = connection;
  service_.heads.Append(head, &output_.tail());
}

[[gnu::hot]] void HttpConnection::End() {
  if (answer_ != Answer::kStreaming) return;
  if (state().promised > 0 && !chunked_ && !head_only_ &&
      state().promised != app::Exchange::kUnknownLength) {
    BreakOff();  // fewer bytes than were promised
    return;
  }
  if (chunked_ && !head_only_) http::AppendLastChunk(&output_.tail());
  answer_ = Answer::kDone;
  --service_.in_flight;
  scoreboard::Add(counters().requests, 1);
  if (status_ >= 500) scoreboard::Add(counters().responses_5xx, 1);
  CountAnswer();
  state().abort = nullptr;
  // An answer from outside of a receive: what waits behind it goes on at the turn's end.
  if (!receiving()) Schedule();
}

// Quick answers of one receive are timed together, by one look at the clock; the coarse clock, a tick behind
// at most, tells them from slow ones.
[[gnu::hot]] void HttpConnection::CountAnswer() {
  if (receiving() && begun_ns_ == service_.now_ns && CoarseMonotonicNanos() <= begun_ns_) {
    ++quick_answers_;
    return;
  }
  const int64_t now_ns = MonotonicNanos();
  if (receiving() && now_ns - service_.now_ns > Turn::kLongNs) EndTurn();
  // Many slow handlers of one turn are work, not a hang.
  service_.row.heartbeat_ns.store(now_ns, std::memory_order_relaxed);
  const uint64_t micros = static_cast<uint64_t>(std::max<int64_t>(now_ns - begun_ns_, 0)) / 1000;
  scoreboard::Add(counters().latency[scoreboard::BucketOf(micros)], 1);
}

[[gnu::hot]] void HttpConnection::CountQuickAnswers() {
  if (quick_answers_ == 0) return;
  const int64_t spent_ns = std::max<int64_t>(MonotonicNanos() - service_.now_ns, 0);
  scoreboard::Add(counters().latency[scoreboard::BucketOf(static_cast<uint64_t>(spent_ns) / 1000)],
                  std::exchange(quick_answers_, 0));
}

// A large one is not copied where the socket takes it as it is.
void HttpConnection::AppendBody(std::string_view body) {
  if (body.size() < kLargeBodyBytes || writing_blocked() || Share() == 0) {
    output_.tail().append(body);
    return;
  }
  uint64_t sent = 0;
  output_.AddLarge(fd_.get(), body, Share(), &sent);
  UseShare(static_cast<size_t>(sent));
  scoreboard::Add(counters().bytes_out, sent);
}

[[gnu::hot]] void HttpConnection::Send(const app::Response& response) {
  if (answer_ != Answer::kHandling && answer_ != Answer::kDeferred) return;
  AppendHead(response, http::BodyFraming::kLength, response.body.size());
  if (!head_only_ && !Bodiless(status_)) AppendBody(response.body);
  answer_ = Answer::kStreaming;
  chunked_ = false;
  state().promised = 0;
  End();
}

void HttpConnection::SendFile(const app::Response& response, int fd, uint64_t offset,
                              uint64_t length) {
  Fd file(fd);
  if (answer_ != Answer::kHandling && answer_ != Answer::kDeferred) return;
  AppendHead(response, http::BodyFraming::kLength, length);
  if (!head_only_ && !Bodiless(status_)) output_.AddFile(std::move(file), offset, length);
  answer_ = Answer::kStreaming;
  chunked_ = false;
  state().promised = 0;
  End();
}

void HttpConnection::Begin(const app::Response& head, uint64_t length) {
  if (answer_ != Answer::kHandling && answer_ != Answer::kDeferred) return;
  const bool known = length != kUnknownLength;
  const http::BodyFraming framing = known ? http::BodyFraming::kLength
                                    : state().request.minor_version == 0
                                        ? http::BodyFraming::kUntilClose
                                        : http::BodyFraming::kChunked;
  AppendHead(head, framing, known ? length : 0);
  answer_ = Answer::kStreaming;
  chunked_ = framing == http::BodyFraming::kChunked && !Bodiless(status_);
  state().promised = Bodiless(status_) ? 0 : length;
  Schedule();
}

bool HttpConnection::Write(std::string_view bytes) {
  if (answer_ != Answer::kStreaming) return false;
  if (output_.memory_bytes() > kUnheededBytes * service_.options.output_bytes_max) {
    LogWarning(absl::StrCat("the app does not heed Write() == false in its answer to ",
                            ShownTarget(), ", which is broken off"));
    BreakOff();
    return false;
  }
  if (state().promised != kUnknownLength) {
    bytes =
        bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(bytes.size(), state().promised)));
    state().promised -= bytes.size();
  }
  if (!head_only_ && !Bodiless(status_)) {
    if (chunked_) {
      http::AppendChunk(ToAbsl(bytes), &output_.tail());
    } else {
      output_.tail().append(bytes);
    }
  }
  // Progress of the app; of the peer it would be none.
  if (kind != DeadlineKind::kSend) service_.deadlines.Set(*this, kind, service_.now_ns);
  Schedule();
  const bool full = output_.memory_bytes() >= service_.output_share;
  wants_writable_ = wants_writable_ || full;
  return !full;
}

void HttpConnection::OnWritable(std::function<void(app::Exchange&)> writable) {
  if (state_ == nullptr) return;
  state().on_writable = std::move(writable);
  wants_writable_ = true;
  Schedule();
}

[[gnu::hot]] void HttpConnection::OnSent() {
  if (!wants_writable_ || answer_ != Answer::kStreaming || !state().on_writable) return;
  wants_writable_ = false;
  // Not in its place while it runs: it may put another one there.
  auto writable = std::exchange(state().on_writable, nullptr);
  Guarded([&] { writable(*this); });
  if (open() && !state().on_writable) state().on_writable = std::move(writable);
  if (open() && answer_ == Answer::kDone) Answered();
  if (open()) Rest();
}

app::ExchangeId HttpConnection::Defer() {
  if (answer_ == Answer::kHandling) {
    answer_ = Answer::kDeferred;
    RetainRequest();
  }
  return id();
}

void HttpConnection::OnBody(std::function<void(app::Exchange&, std::string_view, bool)> body) {
  if (state_ == nullptr) return;
  state().on_body = std::move(body);
  body_rebound_ = true;
}

void HttpConnection::ResumeBody() {
  body_paused_ = false;
  Schedule();
}

void HttpConnection::OnEnd() {
  if (reading_ == Reading::kTunnel) {
    OnTunnelEnd();
    return;
  }
  if (reading_ == Reading::kFirst && state_ != nullptr && !state_->first.empty()) {
    ChooseWay({}, Gateway::Patience::kOver);
    if (!open()) return;
    if (reading_ == Reading::kTunnel) {
      if (!holding()) OnTunnelEnd();
      return;
    }
  }
  if (Pending()) {
    close_after_ = true;
    if (reading_ == Reading::kBody) BreakOff();  // the body will never be complete
    return;
  }
  if (output_.empty() && !finishing()) {
    Abandon();
  } else {
    FinishWriting();
  }
}

[[gnu::hot]] void HttpConnection::OnGone() {
  if (reading_ == Reading::kFirst) LeavePeer();
  Forsake();
  NextExchange();
  // The app may be on the stack, and look at its request once more.
  if (state_ != nullptr && !calling_) service_.request_states.Give(std::move(state_));
}

[[gnu::hot]] DeadlineKind HttpConnection::Deadline() const {
  if (BodyWaits()) return DeadlineKind::kRoom;
  if (reading_ == Reading::kTunnel) return DeadlineKind::kNone;
  if (reading_ == Reading::kFirst && !first_over_) return DeadlineKind::kFirst;
  if (reading_ == Reading::kBody && continue_due_ && HasPeer()) return DeadlineKind::kContinue;
  if (reading_ == Reading::kBody && !body_paused_) return DeadlineKind::kBody;
  if (reading_ == Reading::kDiscard) return DeadlineKind::kBody;
  if (Pending()) return DeadlineKind::kRequest;
  if (MidMessage()) return DeadlineKind::kHeader;
  return DeadlineKind::kIdle;
}

void HttpConnection::OnTimeout(DeadlineKind kind) {
  switch (kind) {
    case DeadlineKind::kHeader:
      head_only_ = false;
      Refuse(408);
      return;
    case DeadlineKind::kBody:
      Reject(408);
      return;
    case DeadlineKind::kRoom:
      Reject(503);
      return;
    case DeadlineKind::kRequest:
      if (answer_ == Answer::kStreaming || answer_ == Answer::kBroken) {
        Reject(504);
        return;
      }
      LogWarning(absl::StrCat("no answer from the app in time to ", ToAbsl(state().request.method),
                              " ", ShownTarget()));
      close_after_ = true;
      LeavePeer();
      Send({.status = 504, .body = "504 Gateway Timeout\n"});
      Answered();
      return;
    case DeadlineKind::kIdle:
      EndIdle();
      return;
    case DeadlineKind::kFirst:
      if (state_ == nullptr) state_ = service_.request_states.Take();
      ChooseWay({}, Gateway::Patience::kOver);
      if (open()) Rest();
      return;
    case DeadlineKind::kContinue:
      Continue();
      return;
    case DeadlineKind::kSend:
    case DeadlineKind::kLinger:
    case DeadlineKind::kNone:
      Abandon();
      return;
  }
}

void HttpConnection::BeginDrain(DrainStyle style) {
  if (style == DrainStyle::kPrompt) EndIdle();
}

void HttpConnection::EndIdle() {
  // A request that is already here is answered, with Connection: close, when its completion comes.
  if (!IsIdle() || finishing() || lingering()) return;
  if (InputWaits()) {
    EndMove();
    return;
  }
  if (reading_ == Reading::kFirst) LeavePeer();
  FinishWriting();
  Schedule();
}

}  // namespace uc::worker
