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
#include "core/net/listener.h"
#include "core/scoreboard/scoreboard.h"
#include "core/worker/http_connection.h"
#include "core/worker/output_share.h"
#include "core/worker/tcp_connection.h"

namespace uc::worker {
namespace {

constexpr uint32_t kWakeIndex = 0;
constexpr uint32_t kSignalIndex = 1;
constexpr uint32_t kInboxIndex = 2;
constexpr uint32_t kHeirIndex = 3;
constexpr uint32_t kDoorIndex = 4;
constexpr uint32_t kGatewayIndex = 5;
constexpr int64_t kQuickTickNs = 100'000'000;  // while a deadline or a timer is near
// Longer than a handshake takes, one that waits for the first bytes (TCP_DEFER_ACCEPT) as well.
constexpr int64_t kForgetPendingNs = 3'000'000'000;
constexpr int kVisitsMax = 16;  // of one connection in one turn
constexpr size_t kScratchBytes = 64 * 1024;
// When places are short: who has been between two requests for so long may go, and who has not read for so long. A
// shorter rest is that of a client that is about to ask again.
constexpr int64_t kRestNs = 1'000'000'000;
constexpr int64_t kStallNs = 5'000'000'000;
constexpr int kExpendableTries = 8;
constexpr int kMadeRoomPerTick =
    16;  // a connection and its file each: as many descriptors as a packet has
constexpr int kStalledBodiesPerTick = 1024;
constexpr int64_t kFullSaidNs = 60'000'000'000;

std::array<int64_t, kDeadlineKinds> DurationsOf(const WorkerOptions& options) {
  const auto ns = [](absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); };
  return {0,
          ns(options.idle_timeout),
          ns(options.header_timeout),
          ns(options.body_timeout),
          ns(options.request_timeout),
          ns(options.send_timeout),
          ns(options.linger_timeout),
          ns(options.body_timeout),
          ns(options.first_byte_timeout),
          ns(options.continue_timeout)};
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
      service_{*parts_.ring,   deadlines_, *parts_.app,   parts_.app->options(),
               parts_.options, parts_.row, parts_.gateway},
      coordinator_(service_, parts_.channel, std::move(parts_.door)),
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
      acceptor_(*parts_.ring, parts_.row, parts_.slot, std::move(parts_.listeners)),
      mover_(service_, table_, {ring::Op::kWake, 0, kHeirIndex}),
      inbox_(std::move(parts_.inbox), service_.app_options.protocol),
      probe_counters_(std::make_unique<scoreboard::Counters>()),
      admitted_(parts_.entry == link::Entry::kAtOnce) {
  service_.scratch.reserve(kScratchBytes);
  ReadClock();
}

void Server::StartApp() {
  if (parts_.gateway != nullptr) parts_.gateway->Join(service_, outgoing_, *this);
  parts_.app->Start(context_);
}

void Server::Arm() {
  ring::Ring& ring = *parts_.ring;
  coordinator_.Arm();
  ring.PollMultishot(coordinator_.door(), POLLIN, {ring::Op::kWake, 0, kDoorIndex});
  ring.PollMultishot(context_.wake().get(), POLLIN, {ring::Op::kWake, 0, kWakeIndex});
  ring.PollMultishot(parts_.signals.get(), POLLIN, {ring::Op::kWake, 0, kSignalIndex});
  ChooseTick();
  ArmAccepts();
  parts_.row.heartbeat_ns.store(service_.now_ns, std::memory_order_relaxed);
}

[[gnu::hot]] absl::Status Server::Run(const std::function<absl::Status()>& become_ready) {
  bool ready = false;
  const auto get_ready = [&] {
    ready = true;
    refusal_ = become_ready();
    leave_now_ |= !refusal_.ok();
  };
  if (!ready_later()) get_ready();
  // Also until the kernel has let go of the listeners: a ring is torn down some time after its process has
  // ended, and whoever starts anew at once must find the address free.
  while (!leave_now_ && !Empty()) {
    if (service_.turn.line_empty()) {
      parts_.ring->Turn();
    } else {
      parts_.ring->TurnFor(absl::ZeroDuration());
    }
    service_.turn.Begin();
    service_.closing.clear();  // the operations that named them have been submitted
    ReadClock();
    service_.output_share =
        OutputShare(parts_.options.output_bytes_max, parts_.options.output_memory,
                    table_.open() + outgoing_.open());
    ring::Completion completion;
    while (parts_.ring->Next(&completion)) {
      Dispatch(completion);
      parts_.ring->Consumed(completion);
    }
    FinishTurn();
    if (ready_now_ && !ready) [[unlikely]]
      get_ready();
  }
  // Told to leave at once: the app still hears of each connection's end.
  for (uint32_t index = 0; index < table_.places(); ++index) {
    if (table_.at(index).open()) table_.at(index).Abandon();
  }
  outgoing_.AbandonAll();
  RunHook("Stop", [&] { parts_.app->Stop(context_); });
  return refusal_;
}

absl::Status Server::StartListening() {
  return acceptor_.ForEachOwn([this](const Fd& listener) {
    const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
    return address.ok() ? net::StartListening(listener, *address, parts_.listen) : address.status();
  });
}

bool Server::Claim(const link::Claim& claim) {
  return coordinator_.linked() && parts_.channel.Send(claim).ok();
}

absl::Status Server::AddListeners(std::vector<Fd> listeners) {
  for (Fd& listener : listeners) unadmitted_.push_back(std::move(listener));
  return admitted_ ? AdmitListeners() : absl::OkStatus();
}

absl::Status Server::AdmitListeners() {
  std::vector<Fd> listeners = std::exchange(unadmitted_, {});
  if (listeners.empty() || service_.draining) return absl::OkStatus();
  std::vector<int> descriptors;
  for (Fd& listener : listeners) {
    descriptors.push_back(listener.get());
    acceptor_.Add(std::move(listener));
  }
  // First, where it is time: steering takes only sockets that listen. Else become_ready does it.
  const absl::Status status = ready_now_ ? StartListening() : absl::OkStatus();
  parts_.channel.Send(link::Bound{}, descriptors).IgnoreError();  // a later coordinator: Hello
  return status;
}

void Server::Watch(int fd) {
  gateway_fd_ = fd;
  parts_.ring->PollMultishot(fd, POLLIN, {ring::Op::kWake, 0, kGatewayIndex});
}

void Server::BecomeReady() {
  if (!std::exchange(ready_now_, true)) return;  // Run() goes on
  parts_.channel.Send(link::Ready{CanBeProbed(service_.app_options, parts_.options)})
      .IgnoreError();  // a later coordinator hears it in Hello
}

void Server::AcceptAtOnce() {
  for (const int listener : acceptor_.listeners(parts_.slot)) net::DeferAccept(listener, 0);
}

bool Server::SayProgramEnded(const link::ProgramEnded& ended) {
  return coordinator_.linked() && parts_.channel.Send(ended).ok();
}

void Server::Leave(const absl::Status& why) {
  refusal_ = why;
  leave_now_ = true;
}

bool Server::Empty() {
  if (!service_.draining || table_.open() > 0 || acceptor_.armed()) return false;
  if (!inbox_.is_shut()) {
    inbox_.Shut();
    OnInbox();
  }
  return table_.open() == 0 && (parts_.gateway == nullptr || parts_.gateway->Finished());
}

[[gnu::hot]] void Server::ReadClock() {
  service_.now_ns = MonotonicNanos();
  if (service_.now_ns >= date_until_ns_) SetDate();
  parts_.row.heartbeat_ns.store(service_.now_ns, std::memory_order_relaxed);
}

// The Date of this second, and when it ends. The wall clock may have been set meanwhile.
void Server::SetDate() {
  constexpr int64_t kSecondNs = 1'000'000'000;
  const int64_t wall_ns = absl::GetCurrentTimeNanos();
  date_.Set(absl::FromUnixNanos(wall_ns));
  service_.date = date_.text();
  date_until_ns_ = service_.now_ns + kSecondNs - wall_ns % kSecondNs;
}

[[gnu::hot]] void Server::Dispatch(const ring::Completion& completion) {
  const ring::Tag tag = completion.tag;
  switch (tag.op) {
    case ring::Op::kReceive:
      if (Connection* connection = FindConnection(tag)) {
        connection->OnReceive(completion.result, completion.more, completion.data);
      }
      return;
    case ring::Op::kWritable:
      if (Connection* connection = FindConnection(tag)) connection->OnWritable();
      return;
    case ring::Op::kAccept:
      OnAcceptable(tag);
      return;
    case ring::Op::kTick:
      OnTick(completion);
      return;
    case ring::Op::kLink:
      OnLink(completion);
      return;
    case ring::Op::kWake:
      OnWake(completion);
      return;
    case ring::Op::kIgnore:
      return;
  }
}

void Server::OnWake(const ring::Completion& completion) {
  int source = -1;  // of a multishot poll
  switch (completion.tag.index) {
    case kWakeIndex:
      context_.RunPosted();
      source = context_.wake().get();
      break;
    case kSignalIndex:
      OnSignal();
      source = parts_.signals.get();
      break;
    case kDoorIndex:
      OnDoor();
      source = coordinator_.door();
      break;
    case kGatewayIndex:
      parts_.gateway->OnReadable();
      source = gateway_fd_;
      break;
    case kInboxIndex:
      inbox_armed_ = false;
      OnInbox();
      return;
    case kHeirIndex:
      mover_.OnRoom();
      return;
  }
  if (!completion.more) parts_.ring->PollMultishot(source, POLLIN, completion.tag);
}

[[gnu::hot]] void Server::OnAcceptable(ring::Tag tag) {
  Connection* goes = nullptr;  // for the one that comes
  const auto may_take = [&] {
    const bool room = Room() > 0;
    goes = room ? nullptr : Expendable();
    return room || goes != nullptr;
  };
  const auto take = [&](Fd fd, uint32_t slot) {
    if (goes != nullptr) SayFull();
    if (goes != nullptr) goes->Abandon();
    OpenAccepted(std::move(fd), slot);
  };
  switch (acceptor_.OnReadable(tag, may_take, take)) {
    case Acceptor::Left::kNothing:
      return;
    case Acceptor::Left::kSome:
      service_.turn.NewcomersWait();
      return;
    case Acceptor::Left::kNoRoom:
      SayFull();
      return;
  }
}

Connection* Server::Expendable() {
  Connection* const idle = Expendable(DeadlineKind::kIdle, kRestNs);
  return idle != nullptr ? idle : Expendable(DeadlineKind::kSend, kStallNs);
}

Connection* Server::Expendable(DeadlineKind kind, int64_t inactive_ns) {
  for (int tries = 0; tries < kExpendableTries; ++tries) {
    DeadlineNode* const node = deadlines_.Longest(kind, service_.now_ns - inactive_ns);
    if (node == nullptr) return nullptr;
    Connection* const connection = static_cast<Connection*>(node);
    if (connection->expendable()) return connection;
    deadlines_.Pass(*node);
  }
  return nullptr;
}

void Server::MakeRoom() {
  int made = 0;
  // Idle connections of another worker are no reason to end idle ones of this one.
  while (inbox_full_ && made++ < kMadeRoomPerTick) {
    Connection* const stalled = Expendable(DeadlineKind::kSend, kStallNs);
    if (stalled == nullptr) break;
    stalled->Abandon();
  }
  inbox_full_ = false;
  // Not by places but by descriptors, which others than connections have used.
  if (acceptor_.blocked()) {
    if (Connection* const goes = Expendable()) goes->Abandon();
    SayFull();
  }
  acceptor_.Unblock();
  acceptor_.RoomAgain();
  EndStalledBodies();
}

// Who sends nothing of its body, while others wait for the memory of it.
void Server::EndStalledBodies() {
  for (int ended = 0; service_.bodies.waited_for() && ended < kStalledBodiesPerTick; ++ended) {
    DeadlineNode* const node = deadlines_.Longest(DeadlineKind::kBody, service_.now_ns - kStallNs);
    if (node == nullptr) return;
    static_cast<Connection*>(node)->OnDeadline(DeadlineKind::kBody);
  }
}

[[gnu::cold]] void Server::SayFull() {
  if (service_.now_ns - full_said_ns_ < kFullSaidNs) return;
  full_said_ns_ = service_.now_ns;
  const bool by_flag = connections() >= parts_.connections_max &&
                       parts_.connections_max == parts_.options.connections_max;
  LogWarning(absl::StrCat("all places are taken (", connections(), " connections, ",
                          service_.files_open,
                          " files being sent): the longest idle connection makes way for a new "
                          "one, else new ones wait; ",
                          by_flag ? "raise --max-connections" : "raise ulimit -n", ", or scale"));
}

[[gnu::hot]] void Server::FinishTurn() {
  // What took long until now is not the fault of those that come up.
  if (!service_.turn.line_empty()) ReadClock();
  while (Connection* const connection = service_.turn.Next()) connection->OnTurn();
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
  mover_.Move();
  for (const uint32_t index : service_.departed) {
    table_.Free(index);
    const bool probe = std::erase(probes_open_, index) > 0;
    if (parts_.load.has_value() && !probe) parts_.load->Lost();
  }
  service_.departed.clear();
  for (const uint32_t index : service_.outgoing_departed) outgoing_.Free(index);
  service_.outgoing_departed.clear();
  parts_.row.in_flight.store(service_.in_flight, std::memory_order_relaxed);
  const uint32_t open = table_.open();
  parts_.row.idle.store(open > service_.in_flight ? open - service_.in_flight : 0,
                        std::memory_order_relaxed);
  ArmAccepts();
  if (tick_ns_ != kQuickTickNs) ChooseTick();
}

[[gnu::hot]] void Server::ArmAccepts() {
  if (acceptor_.full() && Room() > 0) acceptor_.RoomAgain();
  // Also without room: it tells that somebody waits for some.
  if (admitted_ && !service_.draining && may_accept()) acceptor_.Arm();
  if (!inbox_armed_ && !inbox_.is_shut() && !inbox_full_) {
    inbox_armed_ = true;
    parts_.ring->PollOnce(inbox_.fd(), POLLIN, {ring::Op::kWake, 0, kInboxIndex});
  }
}

void Server::OnInbox() {
  // Without room the packets stay where they are, and their givers keep what does not fit in there.
  for (;;) {
    const Inbox::Next next = inbox_.Look();
    if (next == Inbox::Next::kNothing) return;
    if (!inbox_.is_shut() && (next == Inbox::Next::kTooLarge || !RoomForPacket())) {
      inbox_full_ = true;
      return;
    }
    std::optional<std::vector<Fd>> connections = inbox_.Take();
    if (!connections.has_value()) return;
    for (Fd& connection : *connections) OpenConnection(std::move(connection), Origin::kTakenOver);
  }
}

[[gnu::hot]] void Server::OpenConnection(Fd fd, Origin origin) {
  const uint32_t index = table_.Take([this]() -> std::unique_ptr<Connection> {
    if (service_.app_options.protocol == app::Protocol::kTcp) {
      return std::make_unique<TcpConnection>(service_);
    }
    return std::make_unique<HttpConnection>(service_);
  });
  scoreboard::Counters& counters =
      origin == Origin::kProbe ? *probe_counters_ : parts_.row.counters;
  scoreboard::Add(origin == Origin::kTakenOver ? counters.taken_over : counters.accepted, 1);
  if (origin == Origin::kProbe) {
    probes_open_.push_back(index);
  } else if (origin == Origin::kTakenOver && parts_.load.has_value()) {
    parts_.load->Gained();
  }
  using FirstBytes = Connection::FirstBytes;
  FirstBytes first = FirstBytes::kAwaited;
  if (service_.app_options.protocol == app::Protocol::kHttp) {
    // Its listener has held it back until they were.
    if (origin == Origin::kAccepted) first = FirstBytes::kHere;
    if (origin == Origin::kTakenOver) first = FirstBytes::kTakenOver;
  }
  table_.at(index).Open(std::move(fd), index, table_.generation(index), counters, first);
}

// `slot`: in whose queue it was.
[[gnu::hot]] void Server::OpenAccepted(Fd fd, uint32_t slot) {
  if (parts_.load.has_value()) parts_.load->Accepted(slot);
  OpenConnection(std::move(fd), Origin::kAccepted);
}

// The steering counts what it has sent us; what never came is taken back.
void Server::ForgetPending() {
  if (!parts_.load.has_value() || !admitted_ || service_.draining) return;
  if (acceptor_.blocked() || acceptor_.full() || Room() == 0) return;
  parts_.load->SeenEmpty();  // else a poll would have told
  if (service_.now_ns < forget_pending_at_ns_) return;
  // Not at the first look: what is pending then may have come this very moment.
  if (forget_pending_at_ns_ != 0) parts_.load->ForgetPending();
  forget_pending_at_ns_ = service_.now_ns + kForgetPendingNs;
}

// The heartbeat's period when nothing is near, a quick one when something is.
void Server::ChooseTick() {
  const int64_t slow_ns = absl::ToInt64Nanoseconds(parts_.options.heartbeat_period);
  const bool near = deadlines_.urgent() > 0 || context_.has_timers() || service_.draining ||
                    service_.moving || acceptor_.blocked() || acceptor_.full() || inbox_full_;
  const int64_t wanted_ns = near ? std::min(kQuickTickNs, slow_ns) : slow_ns;
  if (wanted_ns == tick_ns_) return;
  if (tick_ns_ != 0) parts_.ring->Cancel({ring::Op::kTick, tick_generation_, 0});
  tick_generation_ = (tick_generation_ + 1) & ring::kGenerationMask;
  tick_ns_ = wanted_ns;
  parts_.ring->Timer(absl::Nanoseconds(tick_ns_), {ring::Op::kTick, tick_generation_, 0});
}

void Server::OnTick(const ring::Completion& completion) {
  if (completion.tag.generation != tick_generation_) return;
  SetDate();
  DeadlineKind kind = DeadlineKind::kNone;
  while (DeadlineNode* node = deadlines_.Expire(service_.now_ns, &kind)) {
    static_cast<Connection*>(node)->OnDeadline(kind);
  }
  context_.RunTimers(service_.now_ns);
  MakeRoom();
  ForgetPending();
  coordinator_.TellIfGone();
  mover_.EndGivingInTime();
  if (service_.draining && service_.now_ns >= end_idle_at_ns_) EndIdleConnections();
  if (service_.draining && service_.now_ns >= end_linger_at_ns_) EndLingeringConnections();
  if (!completion.more) tick_ns_ = 0;
  ChooseTick();
}

void Server::OnLink(const ring::Completion& completion) {
  if (!coordinator_.IsCurrent(completion.tag)) return;
  while (coordinator_.linked()) {
    absl::StatusOr<std::optional<link::Received>> received = coordinator_.Hear();
    if (absl::IsInvalidArgument(received.status())) {
      LogError(absl::StrCat("leaves, for it does not understand its coordinator: ",
                            received.status().message()));
      BeginDrain(link::DrainKind::kPrompt, 0, {});
      continue;
    }
    if (!received.ok() && parts_.gateway != nullptr) parts_.gateway->OnCoordinatorGone();
    if (!received.ok() || !received->has_value()) break;
    Obey(std::move(**received));
  }
  if (!completion.more) coordinator_.Arm();
}

void Server::Obey(link::Received received) {
  std::vector<Fd>& descriptors = received.descriptors;
  if (const auto* drain = std::get_if<link::Drain>(&received.message)) {
    BeginDrain(drain->kind, int64_t{drain->within_ms} * 1'000'000, std::move(descriptors));
  } else if (const auto* give = std::get_if<link::Give>(&received.message)) {
    if (give->connections.size() == descriptors.size()) {
      mover_.BeginGiving(give->connections, std::move(descriptors));
    }
  } else if (const auto* adopt = std::get_if<link::Adopt>(&received.message)) {
    if (!service_.draining) acceptor_.Adopt(adopt->slot, std::move(descriptors));
  } else if (const auto* release = std::get_if<link::Release>(&received.message)) {
    acceptor_.Release(release->slot);
  } else if (std::holds_alternative<link::Admit>(received.message)) {
    admitted_ = true;
    if (absl::Status status = AdmitListeners(); !status.ok()) LogError(status.message());
  } else if (const auto* claimed = std::get_if<link::Claimed>(&received.message)) {
    if (parts_.gateway != nullptr) {
      parts_.gateway->OnClaimed(*claimed, descriptors.empty() ? Fd() : std::move(descriptors[0]));
    }
  } else if (std::holds_alternative<link::StartProgram>(received.message)) {
    if (parts_.gateway != nullptr) parts_.gateway->OnStartProgram();
  } else if (std::holds_alternative<link::Serve>(received.message)) {
    for (Fd& fd : descriptors) OpenConnection(std::move(fd), Origin::kProbe);
  } else if (std::holds_alternative<link::Reopen>(received.message)) {
    if (!descriptors.empty()) dup2(descriptors[0].get(), STDERR_FILENO);
  }
}

void Server::OnDoor() {
  while (coordinator_.TakeVisitor()) {
    if (parts_.gateway != nullptr) parts_.gateway->OnCoordinatorGone();
    link::Hello hello;
    hello.slot = parts_.slot;
    hello.generation = parts_.generation;
    const bool restarting = parts_.gateway != nullptr && parts_.gateway->restarting();
    hello.phase = service_.draining ? link::Phase::kDraining
                  : restarting      ? link::Phase::kRestarting
                  : admitted_       ? link::Phase::kServing
                                    : link::Phase::kReady;
    hello.steering = static_cast<uint16_t>(parts_.steering.size());
    coordinator_.Greet(hello, parts_.inbox_writing, parts_.reports, parts_.steering, acceptor_);
  }
}

void Server::OnSignal() {
  signalfd_siginfo info;
  while (read(parts_.signals.get(), &info, sizeof(info)) == sizeof(info)) {
    if (++signals_ > 1) {
      leave_now_ = true;
      continue;
    }
    BeginDrain(link::DrainKind::kPrompt, 0, {});
  }
}

void Server::BeginDrain(link::DrainKind kind, int64_t within_ns, std::vector<Fd> heirs) {
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
  if (parts_.gateway != nullptr) parts_.gateway->OnDrain(within_ns);
  if (!coordinator_.linked()) {
    // Without a coordinator the last descriptor may be ours: what is queued is lost when it closes.
    acceptor_.Sweep(Room(), [this](Fd fd, uint32_t slot) { OpenAccepted(std::move(fd), slot); });
  }
  acceptor_.Close();
  mover_.BeginLeaving(std::move(heirs));
  const bool prompt = kind == link::DrainKind::kPrompt && !service_.moving;
  // Who stays idle is told in time before the coordinator loses patience.
  end_idle_at_ns_ = prompt ? service_.now_ns : service_.now_ns + within_ns / 10 * 7;
  end_linger_at_ns_ =
      within_ns > 0 ? service_.now_ns + within_ns / 10 * 8 : std::numeric_limits<int64_t>::max();
  for (uint32_t index = 0; index < table_.places(); ++index) {
    Connection& connection = table_.at(index);
    if (!connection.open()) continue;
    connection.BeginMove();
    connection.BeginDrain(prompt ? DrainStyle::kPrompt : DrainStyle::kOneMore);
  }
  LogInfo(absl::StrCat("draining ", table_.open(), " connections",
                       service_.moving ? ", idle ones go to other workers" : ""));
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
