#include "core/worker/server.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/scoreboard/scoreboard.h"
#include "core/worker/http_connection.h"
#include "core/worker/tcp_connection.h"

namespace uc::worker {
namespace {

constexpr uint32_t kWakeIndex = 0;
constexpr uint32_t kSignalIndex = 1;
constexpr int64_t kQuickTickNs = 100'000'000;  // while a deadline or a timer is near
constexpr int kVisitsMax = 16;                 // of one connection in one turn
constexpr size_t kScratchBytes = 64 * 1024;

std::array<int64_t, kDeadlineKinds> DurationsOf(const WorkerOptions& options) {
  const auto ns = [](absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); };
  return {0,
          ns(options.idle_timeout),
          ns(options.header_timeout),
          ns(options.body_timeout),
          ns(options.request_timeout),
          ns(options.send_timeout),
          ns(options.linger_timeout)};
}

template <typename Hook>
void RunHook(const char* name, const Hook& hook) {
  try {
    hook();
  } catch (const std::exception& error) {
    LogWarning(absl::StrCat("the app's ", name, " hook threw: ", error.what()));
  } catch (...) {
    LogWarning(absl::StrCat("the app's ", name, " hook threw"));
  }
}

}  // namespace

Server::Server(ServerParts parts)
    : parts_(std::move(parts)),
      deadlines_(DurationsOf(parts_.options)),
      service_{*parts_.ring,          deadlines_,     *parts_.app,
               parts_.app->options(), parts_.options, parts_.row},
      context_(
          parts_.slot, parts_.generation, parts_.options.app_arguments, std::move(parts_.wake),
          [this](app::ExchangeId id) -> app::Exchange* {
            const uint32_t index = static_cast<uint32_t>(id >> 32);
            if (service_.app_options.protocol != app::Protocol::kHttp || index >= table_.places()) {
              return nullptr;
            }
            return static_cast<HttpConnection&>(table_.at(index))
                .FindExchange(static_cast<uint32_t>(id));
          }),
      acceptor_(*parts_.ring, parts_.row, std::move(parts_.listeners)) {
  service_.scratch.reserve(kScratchBytes);
  ReadClock();
}

void Server::StartApp() { parts_.app->Start(context_); }

void Server::Arm() {
  ring::Ring& ring = *parts_.ring;
  ring.PollMultishot(parts_.channel.fd(), POLLIN, {ring::Op::kLink, 0, 0});
  ring.PollMultishot(context_.wake().get(), POLLIN, {ring::Op::kWake, 0, kWakeIndex});
  ring.PollMultishot(parts_.signals.get(), POLLIN, {ring::Op::kWake, 0, kSignalIndex});
  ChooseTick();
  acceptor_.Arm();
  parts_.row.heartbeat_ns.store(service_.now_ns, std::memory_order_relaxed);
}

void Server::Run() {
  // Also until the kernel has let go of the listeners: a ring is torn down some time after its process has
  // ended, and whoever starts anew at once must find the address free.
  while (!leave_now_ && !(service_.draining && table_.open() == 0 && !acceptor_.armed())) {
    parts_.ring->Turn();
    service_.closing.clear();  // the operations that named them have been submitted
    ReadClock();
    ring::Completion completion;
    while (parts_.ring->Next(&completion)) {
      Dispatch(completion);
      parts_.ring->Consumed(completion);
    }
    FinishTurn();
  }
  // Told to leave at once: the app still hears of each connection's end.
  for (uint32_t index = 0; index < table_.places(); ++index) {
    if (table_.at(index).open()) table_.at(index).Abandon();
  }
  RunHook("Stop", [&] { parts_.app->Stop(context_); });
}

void Server::ReadClock() {
  service_.now_ns = MonotonicNanos();
  if (wall_offset_ns_ == 0) wall_offset_ns_ = absl::GetCurrentTimeNanos() - service_.now_ns;
  date_.Set(absl::FromUnixNanos(service_.now_ns + wall_offset_ns_));
  service_.date = date_.text();
  parts_.row.heartbeat_ns.store(service_.now_ns, std::memory_order_relaxed);
}

void Server::Dispatch(const ring::Completion& completion) {
  const ring::Tag tag = completion.tag;
  switch (tag.op) {
    case ring::Op::kReceive:
      if (Connection* connection = table_.Find(tag.index, tag.generation)) {
        connection->OnReceive(completion.result, completion.more, completion.data);
      }
      return;
    case ring::Op::kWritable:
      if (Connection* connection = table_.Find(tag.index, tag.generation)) connection->OnWritable();
      return;
    case ring::Op::kAccept:
      if (service_.draining) {
        acceptor_.OnDisarmed(tag.index);
        return;
      }
      acceptor_.OnReadable(tag.index, Room(), [this](Fd fd) { OpenConnection(std::move(fd)); });
      return;
    case ring::Op::kTick:
      OnTick(completion);
      return;
    case ring::Op::kLink:
      OnLink();
      if (!completion.more && linked_) {
        parts_.ring->PollMultishot(parts_.channel.fd(), POLLIN, {ring::Op::kLink, 0, 0});
      }
      return;
    case ring::Op::kWake:
      if (tag.index == kSignalIndex) {
        OnSignal();
      } else {
        context_.RunPosted();
      }
      if (!completion.more) {
        const Fd& source = tag.index == kSignalIndex ? parts_.signals : context_.wake();
        parts_.ring->PollMultishot(source.get(), POLLIN, tag);
      }
      return;
    case ring::Op::kIgnore:
    case ring::Op::kReceiveInto:
    case ring::Op::kSend:
      return;
  }
}

void Server::FinishTurn() {
  // A visit may schedule further ones. Who never comes to an end gives the others a turn.
  for (int visits = 0; !service_.scheduled.empty(); ++visits) {
    if (visits == kVisitsMax) {
      context_.Wake();
      break;
    }
    visiting_.swap(service_.scheduled);
    for (Connection* connection : visiting_) connection->OnScheduled();
    visiting_.clear();
  }
  for (const uint32_t index : service_.departed) table_.Free(index);
  service_.departed.clear();
  parts_.row.in_flight.store(service_.in_flight, std::memory_order_relaxed);
  const uint32_t open = table_.open();
  parts_.row.idle.store(open > service_.in_flight ? open - service_.in_flight : 0,
                        std::memory_order_relaxed);
  ArmAccepts();
  if (tick_ns_ != kQuickTickNs) ChooseTick();
}

void Server::ArmAccepts() {
  if (!service_.draining && Room() > 0) acceptor_.Arm();
}

void Server::OpenConnection(Fd fd) {
  const uint32_t index = table_.Take([this]() -> std::unique_ptr<Connection> {
    if (service_.app_options.protocol == app::Protocol::kTcp) {
      return std::make_unique<TcpConnection>(service_);
    }
    return std::make_unique<HttpConnection>(service_);
  });
  scoreboard::Add(parts_.row.counters.accepted, 1);
  table_.at(index).Open(std::move(fd), index, table_.generation(index));
}

// The heartbeat's period when nothing is near, a quick one when something is.
void Server::ChooseTick() {
  const int64_t slow_ns = absl::ToInt64Nanoseconds(parts_.options.heartbeat_period);
  const bool near =
      deadlines_.urgent() > 0 || context_.has_timers() || service_.draining || acceptor_.blocked();
  const int64_t wanted_ns = near ? std::min(kQuickTickNs, slow_ns) : slow_ns;
  if (wanted_ns == tick_ns_) return;
  if (tick_ns_ != 0) parts_.ring->Cancel({ring::Op::kTick, tick_generation_, 0});
  tick_generation_ = (tick_generation_ + 1) & ring::kGenerationMask;
  tick_ns_ = wanted_ns;
  parts_.ring->Timer(absl::Nanoseconds(tick_ns_), {ring::Op::kTick, tick_generation_, 0});
}

void Server::OnTick(const ring::Completion& completion) {
  if (completion.tag.generation != tick_generation_) return;
  wall_offset_ns_ = absl::GetCurrentTimeNanos() - service_.now_ns;  // the wall clock may be set
  DeadlineKind kind = DeadlineKind::kNone;
  while (DeadlineNode* node = deadlines_.Expire(service_.now_ns, &kind)) {
    static_cast<Connection*>(node)->OnDeadline(kind);
  }
  context_.RunTimers(service_.now_ns);
  acceptor_.Unblock();
  if (service_.draining && service_.now_ns >= end_idle_at_ns_) EndIdleConnections();
  if (service_.draining && service_.now_ns >= end_linger_at_ns_) EndLingeringConnections();
  if (!completion.more) tick_ns_ = 0;
  ChooseTick();
}

void Server::OnLink() {
  while (linked_) {
    absl::StatusOr<std::optional<link::Received>> received = parts_.channel.Receive();
    if (absl::IsInvalidArgument(received.status())) {
      LogError(absl::StrCat("leaves, for it does not understand its coordinator: ",
                            received.status().message()));
      BeginDrain(link::DrainKind::kPrompt, 0);
      continue;
    }
    if (!received.ok()) {
      linked_ = false;
      if (!service_.draining) LogWarning("the coordinator is gone; serving on without it");
      return;
    }
    if (!received->has_value()) return;
    if (const auto* drain = std::get_if<link::Drain>(&(*received)->message)) {
      BeginDrain(drain->kind, int64_t{drain->within_ms} * 1'000'000);
    } else if (std::holds_alternative<link::Adopt>((*received)->message)) {
      if (!service_.draining) acceptor_.Adopt(std::move((*received)->descriptors));
    } else if (std::holds_alternative<link::Reopen>((*received)->message)) {
      if (!(*received)->descriptors.empty()) dup2((*received)->descriptors[0].get(), STDERR_FILENO);
    }
  }
}

void Server::OnSignal() {
  signalfd_siginfo info;
  while (read(parts_.signals.get(), &info, sizeof(info)) == sizeof(info)) {
    if (++signals_ > 1) {
      leave_now_ = true;
      continue;
    }
    // Without a coordinator nobody else will take what is queued.
    BeginDrain(linked_ || service_.draining ? link::DrainKind::kPrompt : link::DrainKind::kRetire,
               0);
  }
}

void Server::BeginDrain(link::DrainKind kind, int64_t within_ns) {
  if (service_.draining) {
    if (kind == link::DrainKind::kPrompt) {  // a stop, in mid-drain
      end_idle_at_ns_ = service_.now_ns;
      if (within_ns > 0) {
        end_linger_at_ns_ = std::min(end_linger_at_ns_, service_.now_ns + within_ns / 10 * 8);
      }
    }
    return;
  }
  service_.draining = true;
  RunHook("Drain", [&] { parts_.app->Drain(context_); });
  acceptor_.Disarm();
  if (kind == link::DrainKind::kRetire) {
    // The last descriptor is ours: whatever is queued, and comes meanwhile, is lost when it closes.
    for (uint32_t before = 0; Room() > 0 && !acceptor_.blocked();) {
      before = table_.open();
      acceptor_.Sweep(Room(), [this](Fd fd) { OpenConnection(std::move(fd)); });
      if (table_.open() == before) break;
    }
  }
  acceptor_.Close();
  const DrainStyle style =
      kind == link::DrainKind::kPrompt ? DrainStyle::kPrompt : DrainStyle::kOneMore;
  // Who stays idle is told in time before the coordinator loses patience.
  end_idle_at_ns_ = service_.now_ns + within_ns / 10 * 7;
  end_linger_at_ns_ =
      within_ns > 0 ? service_.now_ns + within_ns / 10 * 8 : std::numeric_limits<int64_t>::max();
  if (kind == link::DrainKind::kPrompt) end_idle_at_ns_ = service_.now_ns;
  for (uint32_t index = 0; index < table_.places(); ++index) {
    if (table_.at(index).open()) table_.at(index).BeginDrain(style);
  }
  LogInfo(absl::StrCat("draining ", table_.open(), " connections"));
}

void Server::EndIdleConnections() {
  for (uint32_t index = 0; index < table_.places(); ++index) {
    if (table_.at(index).open()) table_.at(index).EndIdle();
  }
}

// Our FIN was sent long ago, and the peer keeps its half open: the roll does not wait for it.
void Server::EndLingeringConnections() {
  for (uint32_t index = 0; index < table_.places(); ++index) {
    if (table_.at(index).open() && table_.at(index).lingering()) table_.at(index).Abandon();
  }
}

}  // namespace uc::worker
