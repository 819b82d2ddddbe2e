#include "tools/load/client.h"

#include <sys/prctl.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"

namespace uc::load {
namespace {

// A connection that was left to the server's FIN is closed by us after that.
constexpr int64_t kLeaveNs = 1'000'000'000;
// Keep-alive, closed loop: so many connections may wait for their first answer, so that 10,000 of them come to a server
// one behind the other and do not overflow its accept queue.
constexpr uint32_t kNewcomersMax = 512;
// All deadlines are looked at within this share of the time-out.
constexpr int64_t kSweepsPerTimeout = 20;

std::string Request(const ClientOptions& options) {
  return absl::StrCat(options.method, " ", options.path,
                      " HTTP/1.1\r\nHost: ", options.targets[0].ToHost(),
                      "\r\nUser-Agent: uring-cluster-load\r\n", options.headers,
                      options.mode == Mode::kNew ? "Connection: close\r\n" : "", "\r\n");
}

std::string Repeat(const std::string& text, uint32_t times) {
  std::string repeated;
  for (uint32_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

}  // namespace

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      request_(Request(options_)),
      requests_(Repeat(request_, options_.pipeline)),
      lanes_(options_.connections),
      attempts_(size_t{options_.connections} * options_.pipeline) {
  UC_CHECK(options_.connections > 0 && options_.pipeline > 0);
  UC_CHECK(options_.mode == Mode::kKeepAlive || options_.pipeline == 1);
}

// The ring first: the kernel may still know the descriptors.
Client::~Client() { ring_.reset(); }

double Client::seconds() const { return static_cast<double>(ended_ns_ - started_ns_) / 1e9; }

absl::Status Client::Run(Signals& signals, const std::function<void()>& answering) {
  absl::StatusOr<std::unique_ptr<ring::Ring>> ring = ring::Ring::Create(ring::RingOptions());
  if (!ring.ok()) return ring.status();
  ring_ = *std::move(ring);
  ring_->Timer(kTick, {ring::Op::kTick});
  // Waits end when they should, not up to 50 us later.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  started_ns_ = now_ns_ = expired_ns_ = MonotonicNanos();
  if (options_.rate > 0) {
    pace_.emplace(options_.rate, options_.arrivals,
                  started_ns_ + absl::ToInt64Nanoseconds(options_.rate_begins), options_.seed);
  }
  for (uint32_t lane = 0; lane < lanes_.size(); ++lane) MakeAvailable(lane);
  bool answering_said = false;
  while (!ending_ || under_way_ > 0) {
    if (!ending_) StartDue();
    Turn();
    Tick(signals);
    if (!answering_said && tally_.of(Kind::kOk) >= lanes_.size()) {
      answering_said = true;
      answering();
    }
  }
  ended_ns_ = now_ns_;
  signals.attempts = tally_.attempts();
  return absl::OkStatus();
}

void Client::Turn() {
  const std::optional<int64_t> due_ns = ending_ ? std::nullopt : NextDue();
  if (due_ns.has_value()) {
    ring_->TurnFor(absl::Nanoseconds(std::max<int64_t>(*due_ns - MonotonicNanos(), 0)));
  } else {
    ring_->Turn();
  }
  // What has come had come by now: one reading of the clock for all of it.
  now_ns_ = MonotonicNanos();
  ring::Completion completion;
  while (ring_->Next(&completion)) {
    OnCompletion(completion);
    ring_->Consumed(completion);
  }
}

// Cheap unless a tick is over.
void Client::Tick(Signals& signals) {
  if (begun_ >= options_.attempts_max) ending_ = true;
  if (now_ns_ - expired_ns_ < absl::ToInt64Nanoseconds(kTick)) return;
  ExpireLate();
  while (!leavers_.empty() && now_ns_ - leavers_.front().since_ns > kLeaveNs) {
    const Leaver leaver = leavers_.front();
    leavers_.pop_front();
    const Connection& connection = connections_[leaver.connection];
    if (connection.stage == Stage::kLeaving && connection.generation == leaver.generation) {
      Quit(leaver.connection);
    }
  }
  signals.attempts.store(tally_.attempts(), std::memory_order_relaxed);
  signals.answers.store(tally_.of(Kind::kOk), std::memory_order_relaxed);
  signals.lost.store(tally_.lost(), std::memory_order_relaxed);
  if (signals.enough.load(std::memory_order_relaxed) && !ending_) {
    ending_ = true;
    if (pace_.has_value()) {
      tally_.NotBegun(std::min(pace_->DueBefore(now_ns_), options_.attempts_max - begun_));
    }
  }
}

// --- What begins when ---

Client::Attempt& Client::Oldest(uint32_t lane) {
  return attempts_[size_t{lane} * options_.pipeline + lanes_[lane].oldest];
}

bool Client::MayConnect() const {
  return pace_.has_value() || options_.mode == Mode::kNew || newcomers_ < kNewcomersMax;
}

void Client::StartDue() {
  for (auto* queue : {&resting_, &recovering_}) {
    while (!queue->empty() && queue->front().second <= now_ns_) {
      const uint32_t lane = queue->front().first;
      queue->pop_front();
      lanes_[lane].waiting = false;
      MakeAvailable(lane);
    }
  }
  // No lane twice: one that fails at once would keep us here.
  for (size_t left = idle_.size(); left > 0 && begun_ < options_.attempts_max; --left) {
    if (pace_.has_value() && pace_->due_ns() > now_ns_) return;
    const uint32_t lane = idle_.front();
    idle_.pop_front();
    if (lanes_[lane].connection == kNone && !MayConnect()) {
      idle_.push_back(lane);
      continue;
    }
    lanes_[lane].waiting = false;
    BeginBatch(lane);
  }
}

std::optional<int64_t> Client::NextDue() const {
  std::optional<int64_t> due_ns;
  const auto at = [&due_ns](int64_t time_ns) {
    due_ns = std::min(due_ns.value_or(INT64_MAX), time_ns);
  };
  if (!resting_.empty()) at(resting_.front().second);
  if (!recovering_.empty()) at(recovering_.front().second);
  if (!idle_.empty() && begun_ < options_.attempts_max) {
    if (pace_.has_value()) {
      at(pace_->due_ns());
    } else if (MayConnect()) {
      at(now_ns_);
    }
  }
  return due_ns;
}

// Closed loop: as many attempts as may be under way, in one piece. Open loop: the one that is due.
void Client::BeginBatch(uint32_t number) {
  uint64_t count = 1;
  int64_t intended_ns = 0;
  if (pace_.has_value()) {
    intended_ns = pace_->due_ns();
    pace_->Advance();
  } else {
    count = std::min<uint64_t>(options_.pipeline, options_.attempts_max - begun_);
    intended_ns = MonotonicNanos();
  }
  for (uint64_t i = 0; i < count; ++i) Begin(number, intended_ns);
  if (lanes_[number].connection == kNone) {
    Connect(number);
  } else {
    connections_[lanes_[number].connection].unsent += count * request_.size();
    Send(number);
  }
  if (pace_.has_value()) MakeAvailable(number);
}

void Client::Begin(uint32_t number, int64_t intended_ns) {
  Lane& lane = lanes_[number];
  tally_.Begin();
  ++begun_;
  ++under_way_;
  Attempt attempt = {intended_ns, intended_ns};
  if (pace_.has_value()) {
    attempt.begun_ns = MonotonicNanos();
    tally_.Late(attempt.begun_ns - std::max(intended_ns, lane.idle_ns));
  }
  const uint32_t place = (lane.oldest + lane.under_way) % options_.pipeline;
  ++lane.under_way;
  attempts_[size_t{number} * options_.pipeline + place] = attempt;
}

// The lane can begin, if nothing keeps it.
void Client::MakeAvailable(uint32_t number) {
  Lane& lane = lanes_[number];
  const uint32_t room = pace_.has_value() ? options_.pipeline : 1;
  if (lane.waiting || lane.under_way >= room) return;
  lane.waiting = true;
  lane.idle_ns = now_ns_;
  idle_.push_back(number);
}

void Client::ExpireLate() {
  const int64_t timeout_ns = absl::ToInt64Nanoseconds(options_.timeout);
  const int64_t sweep_ns = std::max<int64_t>(timeout_ns / kSweepsPerTimeout, 1);
  const double share =
      std::min(1.0, static_cast<double>(now_ns_ - expired_ns_) / static_cast<double>(sweep_ns));
  expired_ns_ = now_ns_;
  auto left = static_cast<size_t>(share * static_cast<double>(lanes_.size())) + 1;
  for (left = std::min(left, lanes_.size()); left > 0; --left) {
    const uint32_t lane = expire_next_;
    expire_next_ = (expire_next_ + 1) % static_cast<uint32_t>(lanes_.size());
    if (lanes_[lane].under_way == 0 || now_ns_ - Oldest(lane).begun_ns < timeout_ns) continue;
    const bool connecting = connections_[lanes_[lane].connection].stage == Stage::kConnecting;
    FailLane(lane, connecting ? Kind::kTimeoutConnect : Kind::kTimeoutAnswer, "");
  }
}

}  // namespace uc::load
