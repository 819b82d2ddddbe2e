#include "core/front/server_connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/front/front.h"
#include "core/front/retry.h"
#include "core/http/forwarding.h"
#include "core/http/writer.h"

namespace uc::front {
namespace {

// Nobody needs more, and they have no back-pressure.
constexpr int kInterimMax = 32;
constexpr size_t kInterimBytesMax = 64 * 1024;

http::Answers AnswersOf(absl::string_view method) {
  if (method == "HEAD") return http::Answers::kHead;
  return method == "CONNECT" ? http::Answers::kConnect : http::Answers::kOther;
}

size_t BytesOf(const http::ResponseMessage& head) {
  size_t bytes = head.reason.size();
  for (const http::Field& field : head.fields) bytes += field.name.size() + field.value.size();
  return bytes;
}

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

ServerConnection::ServerConnection(worker::Service& service, Front& front)
    : Connection(service), front_(front), parser_(service.options.parser) {}

void ServerConnection::OnOpened() {
  parser_ = http::ResponseParser(service_.options.parser);
  state_ = State::kIdle;
  client_ = nullptr;
  client_full_ = client_paused_ = false;
}

void ServerConnection::Ask(worker::RelayExchange& client, int tries, std::string_view body) {
  state_ = State::kAsked;
  client_ = &client;
  tries_ = tries;
  interim_ = 0;
  interim_bytes_ = 0;
  answering_ = begun_ = kept_ = client_full_ = client_paused_ = false;
  const http::RequestHead& head = client.head();
  tunnel_asked_ = http::AsksForTunnel(head);
  request_chunked_ = head.chunked;
  request_whole_ = !head.chunked && head.content_length.value_or(0) == body.size();
  parser_.Begin(AnswersOf(head.method));
  front_.AppendRequest(client, &output_.tail());
  output_.tail().append(body);
  client.Attach(*this);
  Schedule();
}

void ServerConnection::Tunnel(worker::RelayExchange& client, int tries) {
  state_ = State::kTunnel;
  client_ = &client;
  tries_ = tries;
  untouched_ = true;
  client_ended_ = client_full_ = client_paused_ = false;
  client.Attach(*this);
  Schedule();
}

void ServerConnection::Listen(worker::RelayExchange& client) {
  state_ = State::kListening;
  client_ = &client;
  client_ended_ = client_full_ = client_paused_ = false;
  client.Attach(*this);
}

bool ServerConnection::IsSilent() const {
  char byte;
  return recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

worker::RelayExchange* ServerConnection::LetGo() {
  state_ = State::kIdle;
  client_full_ = client_paused_ = false;
  return std::exchange(client_, nullptr);
}

// --- The client ---

void ServerConnection::OnClientBytes(std::string_view piece, bool last) {
  if (client_ == nullptr) return;
  if (state_ == State::kListening) {  // the client has spoken first, and not HTTP/1
    state_ = State::kTunnel;
    front_.OnTunnel(*this);
  }
  if (state_ == State::kTunnel) {
    untouched_ = false;
    output_.tail().append(piece);
    if (last) {
      client_ended_ = true;
      // What the server has said and the client had no room for yet comes first; then OnEnd() does it.
      if (peer_ended() && !holding()) return EndTunnel();
      HalfClose();
    }
  } else if (!request_whole_) {
    if (request_chunked_) {
      http::AppendChunk(ToAbsl(piece), &output_.tail());
      if (last) http::AppendLastChunk(client_->trailers(), &output_.tail());
    } else {
      output_.tail().append(piece);
    }
    request_whole_ = last;
  }
  if (output_.empty() && !last) return;
  if (output_.memory_bytes() >= service_.output_share && !client_paused_) {
    client_paused_ = true;
    client_->PauseBody();
  }
  Schedule();
}

void ServerConnection::OnSent() {
  if (!client_paused_ || client_ == nullptr) return;
  client_paused_ = false;
  client_->ResumeBody();
}

void ServerConnection::OnClientRoom() {
  client_full_ = false;
  Schedule();
}

void ServerConnection::OnClientGone() {
  LetGo();
  // The server learns of it as it would without us: its connection ends.
  Abandon();
}

// --- The server ---

void ServerConnection::OnBytes(absl::string_view bytes) {
  while (open()) {
    if (state_ == State::kIdle) {
      if (!bytes.empty()) Abandon();  // an answer that nobody has asked for
      return;
    }
    if (!AcceptsBytes()) {
      Hold(bytes);
      return;
    }
    if (state_ == State::kListening && !bytes.empty()) OnFirstWords(bytes);
    if (state_ == State::kTunnel) {
      PassToClient(bytes);
      return;
    }
    if (state_ != State::kAsked) return;
    if (!bytes.empty()) Answering();
    const http::Step step = parser_.Next(bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.kind) {
      case http::Step::Kind::kNeedMore:
        return;
      case http::Step::Kind::kHead:
        OnHead();
        break;
      case http::Step::Kind::kBody:
        PassToClient(step.body);
        break;
      case http::Step::Kind::kComplete:
        OnComplete(bytes);
        break;
      case http::Step::Kind::kError:
        Refuse(step.reason);
        return;
    }
  }
}

void ServerConnection::Answering() {
  if (std::exchange(answering_, true)) return;
  front_.OnAnswering(*this);
}

void ServerConnection::OnHead() {
  const http::ResponseMessage& head = parser_.head();
  switch (head.body) {
    case http::ResponseMessage::Body::kInterim:
      interim_bytes_ += BytesOf(head);
      if (++interim_ > kInterimMax || interim_bytes_ > kInterimBytesMax) {
        Refuse("too many interim responses");
        return;
      }
      client_->Interim(head);
      return;
    case http::ResponseMessage::Body::kTunnel:
      BeginTunnel();
      return;
    case http::ResponseMessage::Body::kNone:
    case http::ResponseMessage::Body::kLength:
    case http::ResponseMessage::Body::kChunked:
    case http::ResponseMessage::Body::kUntilClose:
      front_.OnHttp();
      kept_ = head.keep_alive && head.body != http::ResponseMessage::Body::kUntilClose;
      begun_ = true;
      client_->BeginRelayed(head);
      return;
  }
}

void ServerConnection::BeginTunnel() {
  if (!tunnel_asked_ || !request_whole_) {
    Refuse("another protocol, which the request has not asked for");
    return;
  }
  begun_ = true;
  client_ended_ = untouched_ = false;
  front_.OnHttp();
  client_->BeginTunnel(parser_.head());
  front_.OnTunnel(*this);
}

// The server speaks, and nobody has asked it anything.
void ServerConnection::OnFirstWords(absl::string_view bytes) {
  constexpr absl::string_view kResponse = "HTTP/1.";
  const size_t size = std::min(bytes.size(), kResponse.size());
  if (bytes.substr(0, size) == kResponse.substr(0, size)) {  // 408, to a client that is late
    front_.OnHttp();
    if (open()) Abandon();
    return;
  }
  if (!client_->BeginRaw()) {
    Abandon();
    return;
  }
  state_ = State::kTunnel;
  front_.OnTunnel(*this);
  front_.OnFirstWords();
}

void ServerConnection::EndTunnel() {
  if (client_ != nullptr) LetGo()->EndTunnel();
  FinishWriting();  // what the client has sent until now
  Schedule();
}

bool ServerConnection::ServerHasClosed() const {
  pollfd socket = {fd_.get(), 0, 0};
  return poll(&socket, 1, 0) == 1 && (socket.revents & POLLHUP) != 0;
}

void ServerConnection::PassToClient(absl::string_view bytes) {
  untouched_ = false;
  if (!bytes.empty() && !client_->Write(ToStd(bytes))) client_full_ = true;
}

void ServerConnection::OnComplete(absl::string_view rest) {
  if (parser_.head().body == http::ResponseMessage::Body::kTunnel) {
    state_ = State::kTunnel;
    return;
  }
  LetGo()->EndRelayed(parser_.trailers());
  // A request that was answered before its end leaves the rest of it nowhere to go.
  if (!kept_ || !request_whole_ || peer_ended() || !rest.empty()) {
    Abandon();
    return;
  }
  front_.OnKept(*this);
}

void ServerConnection::Refuse(absl::string_view reason) {
  front_.OnBadAnswer(reason);
  Abandon();
}

void ServerConnection::OnEnd() {
  if (finishing()) return;  // a tunnel that has ended
  switch (state_) {
    case State::kIdle:
      break;
    case State::kAsked:
      if (!peer_reset() && parser_.End().kind == http::Step::Kind::kComplete) {
        LetGo()->EndRelayed(parser_.trailers());
      }
      break;
    case State::kListening:
      break;
    case State::kTunnel:
      untouched_ = false;
      if (client_ended_ || client_ == nullptr || ServerHasClosed()) {
        EndTunnel();
      } else {
        client_->HalfCloseTunnel();
      }
      return;
  }
  Abandon();
}

void ServerConnection::OnGone() {
  front_.OnGone(*this);
  if (client_ == nullptr) return;
  const State state = state_;
  worker::RelayExchange* const client = LetGo();
  if (state == State::kTunnel && untouched_) {
    front_.OnUntouched(*client, tries_);
  } else if (state == State::kTunnel) {
    client->EndTunnel();
  } else if (state == State::kListening) {
    client->Detach();
  } else if (begun_) {
    client->CutRelayed();
  } else {
    front_.OnUnanswered(*client, tries_, answering_ ? Reached::kAnswering : Reached::kNothing);
  }
}

}  // namespace uc::front
