// Client's third part: connections, from socket() to the last completion.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "tools/load/client.h"

namespace uc::load {
namespace {

bool OurOwnFault(int error) {
  return error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM || error == EADDRINUSE || error == EACCES || error == EPERM;
}

// What an error says before any byte could be sent.
Kind KindOfConnect(int error) {
  if (OurOwnFault(error)) return Kind::kLocalError;
  if (error == ETIMEDOUT) return Kind::kTimeoutConnect;
  if (error == ECONNRESET || error == EPIPE) return Kind::kResetBeforeAnswer;
  return Kind::kRefused;
}

}  // namespace

ring::Tag Client::TagOf(ring::Op op, uint32_t connection) const {
  return {op, connections_[connection].generation, connection};
}

void Client::Connect(uint32_t lane) {
  const net::Address& target = options_.targets[lane % options_.targets.size()];
  Fd fd(socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailLane(lane, Kind::kLocalError, strerror(errno));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!options_.sources.empty()) {
    const net::Address& source = options_.sources[next_source_++ % options_.sources.size()];
    // The port is chosen at connect(), per destination: else there would be 28,000 in all.
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd.get(), source.get(), source.size()) != 0) {
      return FailLane(lane, Kind::kLocalError, strerror(errno));
    }
  }
  if (connect(fd.get(), target.get(), target.size()) != 0 && errno != EINPROGRESS) {
    return FailLane(lane, KindOfConnect(errno), strerror(errno));
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.emplace_back();
  }
  const uint32_t number = free_.back();
  free_.pop_back();
  Connection& connection = connections_[number];
  UC_CHECK(connection.stage == Stage::kFree);
  connection.fd = std::move(fd);
  connection.stage = Stage::kConnecting;
  connection.used = false;
  connection.generation = (connection.generation + 1) & ring::kGenerationMask;
  connection.lane = lane;
  connection.unsent = lanes_[lane].under_way * request_.size();
  lanes_[lane].connection = number;
  ++newcomers_;
  Send(lane);  // on loopback the handshake is over when connect() returns
}

void Client::Send(uint32_t lane) {
  const uint32_t number = lanes_[lane].connection;
  Connection& connection = connections_[number];
  while (connection.unsent > 0 && !connection.polling) {
    // What is unsent is the end of a row of equal requests.
    const char* unsent = requests_.data() + requests_.size() - connection.unsent;
    const ssize_t size = send(connection.fd.get(), unsent, connection.unsent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      connection.polling = true;
      ring_->PollOnce(connection.fd.get(), POLLOUT, TagOf(ring::Op::kWritable, number));
      return;
    }
    if (size < 0) {
      const int error = errno;
      if (connection.stage == Stage::kConnecting) {
        return FailLane(lane, KindOfConnect(error), strerror(error));
      }
      return OnEnd(number, error);
    }
    if (connection.stage == Stage::kConnecting) {
      connection.stage = Stage::kOpen;
      tally_.Opened();
      Receive(number);
    }
    connection.unsent -= static_cast<size_t>(size);
  }
}

void Client::Receive(uint32_t number) {
  connections_[number].receiving = true;
  ring_->ReceiveMultishot(connections_[number].fd.get(), TagOf(ring::Op::kReceive, number));
}

void Client::OnCompletion(const ring::Completion& completion) {
  const uint32_t number = completion.tag.index;
  switch (completion.tag.op) {
    case ring::Op::kTick:
      if (!completion.more) ring_->Timer(kTick, {ring::Op::kTick});
      return;
    case ring::Op::kReceive:
      if (connections_[number].generation == completion.tag.generation) {
        OnReceived(number, completion);
      }
      return;
    case ring::Op::kWritable:
      if (connections_[number].generation != completion.tag.generation) return;
      connections_[number].polling = false;
      if (connections_[number].stage == Stage::kLeaving) return FreeIfDone(number);
      return Send(connections_[number].lane);
    case ring::Op::kIgnore:
    case ring::Op::kAccept:
    case ring::Op::kLink:
    case ring::Op::kWake:
      return;
  }
}

void Client::OnReceived(uint32_t number, const ring::Completion& completion) {
  Connection& connection = connections_[number];
  const uint32_t generation = connection.generation;
  if (!completion.more) connection.receiving = false;
  if (connection.stage == Stage::kLeaving) return FreeIfDone(number);
  if (completion.result > 0) {
    OnBytes(number, completion.data);
  } else if (completion.result != -ENOBUFS) {
    return OnEnd(number, -completion.result);
  }
  // It may be somebody else's by now.
  if (connection.generation == generation && connection.stage == Stage::kOpen &&
      !connection.receiving) {
    Receive(number);
  }
}

// Off its lane, to wait for the server's FIN.
void Client::Leave(uint32_t number) {
  Connection& connection = connections_[number];
  lanes_[connection.lane].connection = kNone;
  connection.lane = kNone;
  connection.stage = Stage::kLeaving;
  if (!connection.used) --newcomers_;
  leavers_.push_back({number, connection.generation, now_ns_});
  FreeIfDone(number);
}

// Ends it, now or when its last completion has come.
void Client::Quit(uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.stage != Stage::kLeaving) Leave(number);
  if (connection.stage == Stage::kLeaving) ring_->CancelFd(connection.fd.get());
}

void Client::FreeIfDone(uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.receiving || connection.polling) return;
  connection.fd.Reset();
  connection.stage = Stage::kFree;
  free_.push_back(number);
}

}  // namespace uc::load
