#include "core/worker/worker.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/app/load.h"
#include "core/base/check.h"
#include "core/base/core_pin.h"
#include "core/base/identity.h"
#include "core/base/log.h"
#include "core/link/first_word.h"
#include "core/net/bpf_capability.h"
#include "core/net/listener.h"
#include "core/ring/awaited_ring.h"
#include "core/scoreboard/scoreboard.h"
#include "core/worker/server.h"

namespace uc::worker {
namespace {

constexpr rlim_t kDescriptorReserve =
    64;  // ring, listeners, files being sent, whatever the app opens
constexpr int kDeferAcceptSeconds = 1;
// Of a connection whose peer does not read. What the kernel would take on top (2.5 MB of each on this machine's loopback) is
// work for nothing that others wait for, and memory that no limit of ours counts.
constexpr int kUnsentBytesMax = 256 * 1024;

// What the descriptors allow.
uint32_t ConnectionsPossible() {
  rlimit limit;
  UC_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t room = limit.rlim_cur > 2 * kDescriptorReserve ? limit.rlim_cur - kDescriptorReserve
                                                              : limit.rlim_cur / 2;
  return static_cast<uint32_t>(std::clamp<rlim_t>(room, 1, 1u << 24));
}

// Of those, so many are for clients: of a gateway each request takes another one.
uint32_t ConnectionsMax(const WorkerOptions& options, const Gateway* gateway, uint32_t possible) {
  uint32_t outgoing = gateway != nullptr ? possible / 2 : 0;
  if (options.in_flight_max > 0) outgoing = std::min(outgoing, options.in_flight_max);
  const uint32_t most = possible - outgoing;
  return options.connections_max == 0 ? most : std::min(options.connections_max, most);
}

absl::StatusOr<std::vector<Fd>> TakeListeners(const std::vector<net::Address>& addresses,
                                              const net::ListenOptions& listen,
                                              std::vector<Fd> inherited, link::Channel& channel) {
  // A program behind the worker has asked for addresses of its own: these come behind.
  if (inherited.size() >= addresses.size()) return inherited;
  std::vector<Fd> bound;
  std::vector<int> descriptors;
  for (const net::Address& address : addresses) {
    absl::StatusOr<Fd> listener = net::Bind(address, listen);
    if (!listener.ok()) return listener.status();
    descriptors.push_back(listener->get());
    bound.push_back(*std::move(listener));
  }
  if (absl::Status status = channel.Send(link::Bound{}, descriptors); !status.ok()) return status;
  return bound;
}

// The world's fault is what may be otherwise at the next try without anybody doing anything.
bool IsOperatorFault(const absl::Status& status) {
  return !absl::IsResourceExhausted(status) && !absl::IsUnavailable(status) &&
         !absl::IsDeadlineExceeded(status);
}

int Refuse(link::Channel& channel, const absl::Status& status) {
  channel.Send(link::Refused{IsOperatorFault(status), std::string(status.message())}).IgnoreError();
  return 1;
}

absl::StatusOr<MadeApp> MakeApp(const AppFactory& make_app) {
  try {
    absl::StatusOr<MadeApp> app = make_app();
    if (app.ok()) app->app->options();
    return app;
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat("the app cannot be made: ", error.what()));
  } catch (...) {
    return absl::FailedPreconditionError("the app cannot be made");
  }
}

absl::Status StartApp(Server& server) {
  try {
    server.StartApp();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat("the app refuses to start: ", error.what()));
  } catch (...) {
    return absl::FailedPreconditionError("the app refuses to start");
  }
}

// Until here it had the coordinator's rights: for ports below 1024, for the ring's memory (RLIMIT_MEMLOCK), and because
// all sockets of one address must be of one user (inet_csk_get_port in net/ipv4/inet_connection_sock.c). From here on
// nothing needs them, and code that is not ours begins. The environment is that user's since the exec, so there is none
// of root's in this memory (CoordinatorOptions::worker_environment).
absl::Status GiveUpRights(const WorkerOptions& options) {
  return options.identity.has_value() ? Become(*options.identity, options.exec_gives)
                                      : absl::OkStatus();
}

absl::Status Serve(const WorkerOptions& options, link::Channel& channel, link::Received first,
                   const AppFactory& make_app) {
  const link::Assign& assign = std::get<link::Assign>(first.message);
  if (options.cpu_affinity) {  // first, so that whatever it touches lies near its core
    if (absl::Status status = PinToCoreOf(assign.slot); !status.ok()) LogWarning(status.message());
  }
  absl::StatusOr<scoreboard::ReportsMapping> reports =
      scoreboard::ReportsMapping::Attach(std::move(first.descriptors[0]));
  if (!reports.ok()) return reports.status();
  if (assign.row >= scoreboard::kWorkerRows) return absl::InternalError("no such scoreboard row");
  // In the order of link::Assign.
  const auto take = [&](size_t count) {
    const auto begin = first.descriptors.begin();
    const auto end = begin + static_cast<ptrdiff_t>(count);
    std::vector<Fd> taken(std::make_move_iterator(begin), std::make_move_iterator(end));
    first.descriptors.erase(begin, end);
    return taken;
  };
  std::vector<Fd> own = take(link::kAssignDescriptors);
  std::vector<Fd> steering = take(assign.steering);
  std::optional<net::SlotLoad> load;
  if (!steering.empty()) {
    absl::StatusOr<net::SlotLoad> mapped = net::SlotLoad::Map(steering[0], assign.slot);
    if (!mapped.ok()) return mapped.status();
    load.emplace(*std::move(mapped));
  }

  std::vector<net::Address> addresses;
  for (const std::string& text : assign.addresses) {
    absl::StatusOr<net::Address> address = net::Address::Parse(text);
    if (!address.ok()) return address.status();
    addresses.push_back(*address);
  }
  // Without --listen the program behind the worker says where, and these are where other slots listen.
  std::vector<net::Address> known;
  if (options.addresses.empty()) known = std::exchange(addresses, {});
  if (addresses.empty()) addresses = options.addresses;
  net::ListenOptions listen;
  listen.backlog = options.backlog;
  absl::StatusOr<std::vector<Fd>> listeners =
      TakeListeners(addresses, listen, std::move(first.descriptors), channel);
  if (!listeners.ok()) return listeners.status();

  // Those that have just left may not have given theirs back, and others of this user may have locked more than the
  // coordinator could know of.
  absl::StatusOr<std::unique_ptr<ring::Ring>> ring =
      ring::AwaitRing(assign.ring_entries, ring::RingPatience());
  if (!ring.ok()) return ring.status();
  if (absl::Status status = GiveUpRights(options); !status.ok()) return status;
  absl::StatusOr<MadeApp> app = MakeApp(make_app);
  if (!app.ok()) return app.status();
  // Where clients may wait for the server's first words, none is held back for its own.
  const bool probed = CanBeProbed(app->app->options(), options);
  if (probed) listen.defer_accept_seconds = kDeferAcceptSeconds;
  listen.unsent_bytes_max = kUnsentBytesMax;
  Fd signals = link::TakeSignals();  // they come through the ring
  Fd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const bool room = wake.Duplicate().valid();  // the app may have left none for a connection
  if (!signals.valid() || !wake.valid() || !room) {
    return absl::ResourceExhaustedError("no file descriptors left for a worker; raise ulimit -n");
  }
  const std::string ring_text = (*ring)->description();
  const uint32_t possible = ConnectionsPossible();
  const uint32_t connections_max = ConnectionsMax(options, app->gateway, possible);
  Server server(ServerParts{.options = options,
                            .channel = channel,
                            .row = reports->row(assign.row),
                            .reports = reports->fd(),
                            .ring = *std::move(ring),
                            .app = std::move(app->app),
                            .gateway = app->gateway,
                            .listeners = *std::move(listeners),
                            .listen = listen,
                            .known_addresses = std::move(known),
                            .signals = std::move(signals),
                            .wake = std::move(wake),
                            .inbox = std::move(own[1]),
                            .inbox_writing = std::move(own[2]),
                            .steering = std::move(steering),
                            .door = std::move(own[3]),
                            .load = std::move(load),
                            .slot = assign.slot,
                            .generation = assign.generation,
                            .entry = assign.entry,
                            .connections_max = connections_max,
                            .connections_possible = possible});
  if (absl::Status status = StartApp(server); !status.ok()) return status;
  server.Arm();
  // Last: listen is what starts the traffic. (The polls that Arm() has queued are submitted later.)
  return server.Run([&] {
    absl::Status status = server.StartListening();
    if (status.ok()) status = channel.Send(link::Ready{probed});
    if (status.ok()) LogInfo(absl::StrCat("serves (ring: ", ring_text, ")"));
    return status;
  });
}

}  // namespace

int RunWorker(const WorkerOptions& options, link::Channel channel) {
  return RunWorkerWithApp(options, std::move(channel), [&options] {
    return app::LoadApp(options.app, options.app_arguments, options.dotfiles);
  });
}

int RunWorkerWithApp(const WorkerOptions& options, link::Channel channel,
                     const AppFactory& make_app) {
  net::DropBpfCapability();  // a binary that has it as a file capability gives it to each of us
  absl::StatusOr<link::Received> first = link::AwaitAssign(channel);
  if (!first.ok()) {
    LogError(absl::StrCat("worker without an assignment: ", first.status().message()));
    return 1;
  }
  const link::Assign& assign = std::get<link::Assign>(first->message);
  SetLogIdentity(absl::StrCat("worker ", assign.slot, "/", assign.generation));
  prctl(PR_SET_NAME, absl::StrCat("uc-worker-", assign.slot).c_str());
  const absl::Status status = Serve(options, channel, *std::move(first), make_app);
  return status.ok() ? 0 : Refuse(channel, status);
}

}  // namespace uc::worker
