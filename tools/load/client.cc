#include "tools/load/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/net/listener.h"

namespace uc::load {
namespace {

constexpr int64_t kLookNs = 2'000'000;  // how often `enough` is asked at least
constexpr int64_t kExpireEveryNs = 20'000'000;
constexpr int kEventsMax = 512;
constexpr size_t kReadBytes = 64 * 1024;

std::string Request(const ClientOptions& options) {
  return absl::StrCat("GET ", options.path, " HTTP/1.1\r\nHost: ", options.targets[0].ToString(),
                      "\r\nUser-Agent: uring-cluster-load\r\n",
                      options.mode == Mode::kNew ? "Connection: close\r\n" : "", "\r\n");
}

bool OurOwnFault(int error) {
  return error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM || error == EADDRINUSE;
}

bool Reset(int error) { return error == ECONNRESET || error == EPIPE || error == ECONNABORTED; }

}  // namespace

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      request_(Request(options_)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      lanes_(options_.connections) {
  UC_CHECK(epoll_.valid() && !options_.targets.empty() && options_.connections > 0);
  for (uint32_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i].number = i;
    idle_.push_back(i);
  }
}

double Client::seconds() const { return static_cast<double>(ended_ns_ - started_ns_) / 1e9; }

void Client::Run(const std::function<bool()>& enough, const std::function<void()>& answering) {
  started_ns_ = now_ns_ = MonotonicNanos();
  bool answering_said = false;
  epoll_event events[kEventsMax];
  for (;;) {
    if (!ending_ && enough()) ending_ = true;
    if (ending_ && !UnderWay()) break;
    if (!ending_) StartDue(now_ns_);
    const int64_t wait_ns = std::clamp<int64_t>(NextDue(now_ns_) - now_ns_, 0, kLookNs);
    const timespec wait = {0, wait_ns};
    const int count = epoll_pwait2(epoll_.get(), events, kEventsMax, &wait, nullptr);
    now_ns_ = MonotonicNanos();
    for (int i = 0; i < count; ++i) OnEvent(lanes_[events[i].data.u32], events[i].events);
    ExpireLate(now_ns_);
    if (!answering_said && tally_.of(Kind::kOk) >= lanes_.size()) {
      answering_said = true;
      answering();
    }
  }
  ended_ns_ = now_ns_;
}

// --- What begins when ---

void Client::StartDue(int64_t now_ns) {
  if (options_.rate > 0) {
    due_ =
        static_cast<uint64_t>(static_cast<double>(now_ns - started_ns_) / 1e9 * options_.rate) + 1;
  }
  if (thinking_ > 0) {
    for (Lane& lane : lanes_) {
      if (lane.state != State::kThinking || lane.resume_ns > now_ns) continue;
      --thinking_;
      lane.state = State::kIdle;
      idle_.push_back(lane.number);
    }
  }
  while (!idle_.empty() && begun_ < options_.attempts_max &&
         (options_.rate == 0 || begun_ < due_)) {
    Lane& lane = lanes_[idle_.front()];
    idle_.pop_front();
    const int64_t intended_ns =
        options_.rate == 0
            ? now_ns
            : started_ns_ + static_cast<int64_t>(static_cast<double>(begun_) / options_.rate * 1e9);
    ++begun_;
    Begin(lane, intended_ns);
  }
}

int64_t Client::NextDue(int64_t now_ns) const {
  if (ending_ || thinking_ > 0 || idle_.empty() || begun_ >= options_.attempts_max) {
    return now_ns + kLookNs;
  }
  if (options_.rate == 0) return now_ns;
  return started_ns_ + static_cast<int64_t>(static_cast<double>(begun_) / options_.rate * 1e9);
}

void Client::ExpireLate(int64_t now_ns) {
  if (now_ns < expire_at_ns_) return;
  expire_at_ns_ = now_ns + kExpireEveryNs;
  const int64_t timeout_ns = absl::ToInt64Nanoseconds(options_.timeout);
  for (Lane& lane : lanes_) {
    if (lane.state != State::kConnecting && lane.state != State::kWaiting) continue;
    if (now_ns - lane.begun_ns < timeout_ns) continue;
    FailLane(lane, lane.state == State::kConnecting ? Kind::kTimeoutConnect : Kind::kTimeoutAnswer,
             "");
  }
}

// --- One attempt ---

void Client::Begin(Lane& lane, int64_t intended_ns) {
  tally_.Begin();
  ++under_way_;
  lane.intended_ns = intended_ns;
  lane.begun_ns = MonotonicNanos();
  lane.answer.Reset();
  lane.sent = 0;
  if (!lane.fd.valid()) {
    Connect(lane);
  } else {
    lane.state = State::kWaiting;
    SendRequest(lane);
  }
}

void Client::Connect(Lane& lane) {
  const net::Address& target = options_.targets[lane.number % options_.targets.size()];
  lane.fd.Reset(socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!lane.fd.valid()) return FailLane(lane, Kind::kLocalError, strerror(errno));
  const int on = 1;
  setsockopt(lane.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!options_.sources.empty()) {
    const net::Address& source = options_.sources[next_source_++ % options_.sources.size()];
    // The port is chosen at connect(), per destination: else there would be 28,000 in all.
    setsockopt(lane.fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(lane.fd.get(), source.get(), source.size()) != 0) {
      return FailLane(lane, Kind::kLocalError, strerror(errno));
    }
  }
  lane.state = State::kConnecting;
  lane.used = lane.announced = false;
  if (connect(lane.fd.get(), target.get(), target.size()) != 0 && errno != EINPROGRESS) {
    return FailLane(lane, OurOwnFault(errno) ? Kind::kLocalError : Kind::kRefused, strerror(errno));
  }
  epoll_event event = {};
  event.events = EPOLLOUT;
  event.data.u32 = lane.number;
  UC_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, lane.fd.get(), &event) == 0);
}

void Client::Watch(Lane& lane, uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.u32 = lane.number;
  UC_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, lane.fd.get(), &event) == 0);
}

void Client::OnEvent(Lane& lane, uint32_t events) {
  switch (lane.state) {
    case State::kConnecting:
      return OnConnected(lane);
    case State::kWaiting:
      if (lane.sent < request_.size() && (events & EPOLLOUT) != 0) SendRequest(lane);
      if (lane.state == State::kWaiting && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        Read(lane);
      return;
    case State::kIdle:
    case State::kThinking:
      return OnIdleEvent(lane);
  }
}

void Client::OnConnected(Lane& lane) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(lane.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    const Kind kind = OurOwnFault(error)    ? Kind::kLocalError
                      : error == ETIMEDOUT  ? Kind::kTimeoutConnect
                      : error == ECONNRESET ? Kind::kResetBeforeAnswer
                                            : Kind::kRefused;
    return FailLane(lane, kind, strerror(error));
  }
  tally_.Opened();
  if (const auto local = net::LocalAddress(lane.fd); local.ok()) lane.port = local->port();
  lane.state = State::kWaiting;
  Watch(lane, EPOLLIN);
  SendRequest(lane);
}

void Client::SendRequest(Lane& lane) {
  while (lane.sent < request_.size()) {
    const ssize_t size =
        send(lane.fd.get(), request_.data() + lane.sent, request_.size() - lane.sent, MSG_NOSIGNAL);
    if (size >= 0) {
      lane.sent += static_cast<size_t>(size);
    } else if (errno == EAGAIN) {
      Watch(lane, EPOLLIN | EPOLLOUT);
      return;
    } else if (errno != EINTR) {
      return FailLane(lane, Reset(errno) ? Kind::kResetBeforeAnswer : Kind::kLocalError,
                      strerror(errno));
    }
  }
}

void Client::Read(Lane& lane) {
  static char bytes[kReadBytes];
  for (;;) {
    const ssize_t size = recv(lane.fd.get(), bytes, sizeof(bytes), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    const bool begun = lane.answer.bytes() > 0;
    if (size < 0) {
      return FailLane(lane, begun ? Kind::kResetMidAnswer : Kind::kResetBeforeAnswer,
                      strerror(errno));
    }
    const Answer::State state =
        size == 0 ? lane.answer.End()
                  : lane.answer.Take(absl::string_view(bytes, static_cast<size_t>(size)));
    if (state == Answer::State::kComplete) return Answered(lane);
    if (state == Answer::State::kMalformed)
      return FailLane(lane, Kind::kBadAnswer, "not as HTTP has it");
    if (size == 0) {
      return FailLane(lane, begun ? Kind::kEofMidAnswer : Kind::kEofBeforeAnswer,
                      lane.used ? "on a connection that had answered before" : "");
    }
  }
}

void Client::Answered(Lane& lane) {
  const Answer& answer = lane.answer;
  if (answer.status() != options_.expected_status ||
      !absl::StartsWith(answer.body_begin(), options_.expected_body)) {
    return FailLane(lane, Kind::kBadAnswer, absl::StrCat("status ", answer.status()));
  }
  const int64_t end_ns = MonotonicNanos();
  tally_.Ok((end_ns - lane.intended_ns) / 1000, absl::ToInt64Microseconds(options_.slow));
  tally_.AnswerAt(end_ns);
  if (!options_.probe_header.empty()) tally_.HeaderSeen(answer.Header(options_.probe_header));
  --under_way_;
  lane.used = true;
  lane.announced = answer.closes();
  if (options_.mode == Mode::kNew || lane.announced) {
    if (options_.mode == Mode::kKeepAlive) tally_.IdleClosed(true);
    CloseLane(lane);
  }
  if (options_.think > absl::ZeroDuration()) {
    lane.state = State::kThinking;
    lane.resume_ns = end_ns + absl::ToInt64Nanoseconds(options_.think);
    ++thinking_;
  } else {
    lane.state = State::kIdle;
    idle_.push_back(lane.number);
  }
}

// Something happens on a connection where nothing was asked: its end.
void Client::OnIdleEvent(Lane& lane) {
  if (!lane.fd.valid()) return;
  char byte;
  const ssize_t size = recv(lane.fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  tally_.IdleClosed(false);
  CloseLane(lane);
}

void Client::FailLane(Lane& lane, Kind kind, std::string detail) {
  tally_.Fail({static_cast<double>(MonotonicNanos() - started_ns_) / 1e9, kind, lane.port,
               lane.answer.bytes(), std::move(detail)});
  --under_way_;
  CloseLane(lane);
  lane.state = State::kIdle;
  idle_.push_back(lane.number);
}

void Client::CloseLane(Lane& lane) {
  lane.fd.Reset();
  lane.port = 0;
}

}  // namespace uc::load
