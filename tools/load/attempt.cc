// Client's second part: what comes of an attempt.
#include <errno.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/net/listener.h"
#include "tools/load/client.h"

namespace uc::load {
namespace {

// Lanes that found no port or descriptor begin again after that: without it they would do nothing
// but fail.
constexpr int64_t kRecoverNs = 10'000'000;

// The same fault for the attempts behind the one that it hit: no byte of their answers had come.
Kind Behind(Kind kind) {
  switch (kind) {
    case Kind::kResetMidAnswer:
      return Kind::kResetBeforeAnswer;
    case Kind::kEofMidAnswer:
      return Kind::kEofBeforeAnswer;
    case Kind::kOk:
    case Kind::kRefused:
    case Kind::kResetBeforeAnswer:
    case Kind::kEofBeforeAnswer:
    case Kind::kTimeoutConnect:
    case Kind::kTimeoutAnswer:
    case Kind::kBadAnswer:
    case Kind::kLocalError:
      return kind;
  }
  return kind;
}

}  // namespace

void Client::OnBytes(uint32_t number, absl::string_view bytes) {
  const uint32_t lane_number = connections_[number].lane;
  Lane& lane = lanes_[lane_number];
  if (lane.under_way == 0) {  // nothing was asked: a server's last words before it closes
    tally_.IdleClosed(false);
    return Quit(number);
  }
  while (!bytes.empty() && lane.under_way > 0) {
    bytes.remove_prefix(lane.answer.Take(bytes, options_.expected));
    switch (lane.answer.state()) {
      case Answer::State::kHead:
      case Answer::State::kBody:
        return;
      case Answer::State::kMalformed:
        return FailLane(lane_number, Kind::kBadAnswer, "not as HTTP has it");
      case Answer::State::kComplete:
        if (lane.under_way == 1 && !bytes.empty()) {
          return FailLane(lane_number, Kind::kBadAnswer, "more bytes than were asked for");
        }
        Answered(lane_number);
        if (lane.connection != number) return;  // it has closed
    }
  }
}

// The peer's FIN (error 0), or the end of the connection by an error.
void Client::OnEnd(uint32_t number, int error) {
  Connection& connection = connections_[number];
  Lane& lane = lanes_[connection.lane];
  if (lane.under_way == 0) {
    tally_.IdleClosed(false);
    return Quit(number);
  }
  const bool begun = lane.answer.bytes() > 0;
  if (error != 0) {
    const Kind kind = error == ETIMEDOUT ? Kind::kTimeoutAnswer
                      : begun            ? Kind::kResetMidAnswer
                                         : Kind::kResetBeforeAnswer;
    return FailLane(connection.lane, kind, strerror(error));
  }
  if (lane.answer.End() == Answer::State::kComplete) return Answered(connection.lane);
  FailLane(connection.lane, begun ? Kind::kEofMidAnswer : Kind::kEofBeforeAnswer,
           connection.used ? "on a connection that had answered before" : "");
}

// The oldest attempt of the lane has its answer.
void Client::Answered(uint32_t number) {
  Lane& lane = lanes_[number];
  const uint32_t connection_number = lane.connection;
  Connection& connection = connections_[connection_number];
  const bool closes = lane.answer.closes();
  if (!connection.used) {
    connection.used = true;
    --newcomers_;
  }
  Count(number);
  Pop(number);
  if (closes && options_.mode == Mode::kKeepAlive) tally_.IdleClosed(true);
  if (closes || options_.mode == Mode::kNew) {
    while (lane.under_way > 0) {
      FailOldest(number, Kind::kEofBeforeAnswer, "behind an answer that closed the connection");
      Pop(number);
    }
    closes ? Leave(connection_number) : Quit(connection_number);
  }
  Rest(number);
}

void Client::Count(uint32_t number) {
  const Answer& answer = lanes_[number].answer;
  const Attempt& attempt = Oldest(number);
  if (const std::string fault = answer.Fault(options_.expected); !fault.empty()) {
    return FailOldest(number, Kind::kBadAnswer, fault);
  }
  tally_.Ok(now_ns_ - attempt.intended_ns, absl::ToInt64Nanoseconds(options_.slow), answer.bytes());
  if (pace_.has_value()) tally_.Service(now_ns_ - attempt.begun_ns);
  tally_.AnswerAt(now_ns_);
  if (!options_.expected.header.empty()) tally_.HeaderSeen(answer.header());
}

void Client::Pop(uint32_t number) {
  Lane& lane = lanes_[number];
  lane.oldest = (lane.oldest + 1) % options_.pipeline;
  --lane.under_way;
  --under_way_;
  lane.answer.Reset();
}

// After an attempt: the thinking time, or the next one.
void Client::Rest(uint32_t number) {
  Lane& lane = lanes_[number];
  if (lane.under_way > 0 || options_.think == absl::ZeroDuration()) return MakeAvailable(number);
  if (lane.waiting) return;
  lane.waiting = true;
  resting_.emplace_back(number, now_ns_ + absl::ToInt64Nanoseconds(options_.think));
}

void Client::FailOldest(uint32_t number, Kind kind, const std::string& detail) {
  const uint32_t connection = lanes_[number].connection;
  uint16_t port = 0;
  if (connection != kNone && tally_.failures().size() < Tally::kFailuresKept) {
    const auto local = net::LocalAddress(connections_[connection].fd);
    if (local.ok()) port = local->port();
  }
  tally_.Fail({static_cast<double>(MonotonicNanos() - started_ns_) / 1e9, kind, port,
               lanes_[number].answer.bytes(), detail});
}

// All that is under way on the lane ends with it; the connection, too.
void Client::FailLane(uint32_t number, Kind kind, const std::string& detail) {
  Lane& lane = lanes_[number];
  for (Kind each = kind; lane.under_way > 0; each = Behind(kind)) {
    FailOldest(number, each, detail);
    Pop(number);
  }
  if (lane.connection != kNone) Quit(lane.connection);
  if (kind != Kind::kLocalError) return MakeAvailable(number);
  if (lane.waiting) return;
  lane.waiting = true;
  recovering_.emplace_back(number, MonotonicNanos() + kRecoverNs);
}

}  // namespace uc::load
