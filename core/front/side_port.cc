#include "core/front/side_port.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/net/listener.h"

namespace uc::front {
namespace {

constexpr int kEventsPerCall = 32;
constexpr int kAcceptsPerEvent = 8;
constexpr size_t kPieceBytes = 16 * 1024;

// One end and what it is about to be sent.
struct End {
  Fd fd;
  uint32_t watched = 0;  // epoll's events
  std::array<char, kPieceBytes> piece;
  size_t begin = 0;
  size_t size = 0;
  bool finished = false;  // it sends nothing more
  bool told = false;      // it has heard that the other end sends nothing more

  bool empty() const { return begin == size; }
};

// What `from` has sent goes to `to`. False: one of them is gone.
bool Move(End& from, End& to) {
  if (to.empty() && !from.finished) {
    const ssize_t size = recv(from.fd.get(), to.piece.data(), to.piece.size(), MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
    from.finished = size == 0;
    to.begin = 0;
    to.size = size > 0 ? static_cast<size_t>(size) : 0;
  }
  if (!to.empty()) {
    const ssize_t size = send(to.fd.get(), to.piece.data() + to.begin, to.size - to.begin,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (size > 0) to.begin += static_cast<size_t>(size);
  }
  if (to.empty() && from.finished && !std::exchange(to.told, true)) shutdown(to.fd.get(), SHUT_WR);
  return true;
}

uint32_t Wanted(const End& end, const End& other) {
  return (other.empty() && !end.finished ? uint32_t{EPOLLIN} : 0) |
         (end.empty() ? 0 : uint32_t{EPOLLOUT});
}

// What epoll says of a pair, and of a listener: the first pair has number 1.
constexpr uint64_t kListener = uint64_t{1} << 63;

}  // namespace

struct SidePort::Pair {
  End client;
  End server;
};

SidePort::SidePort(PrivateListener behind, std::vector<Fd> listeners)
    : behind_(std::move(behind)),
      listeners_(std::move(listeners)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  Review();
}

SidePort::~SidePort() = default;
SidePort::SidePort(SidePort&&) noexcept = default;

void SidePort::Review() {
  if (listens_ || !behind_.listens()) return;
  listens_ = true;
  for (const Fd& listener : listeners_) {
    const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
    if (!address.ok()) continue;
    const absl::Status status = net::StartListening(listener, *address, {});
    if (!status.ok()) LogWarning(status.message());
  }
  WatchListeners();
}

void SidePort::WatchListeners() {
  const bool wanted = listens_ && pairs_.size() < kPairsMax;
  if (wanted == watched_) return;
  watched_ = wanted;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = kListener | i;
    epoll_ctl(epoll_.get(), wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listeners_[i].get(), &event);
  }
}

bool SidePort::OnReadable() {
  epoll_event events[kEventsPerCall];
  const int count = epoll_wait(epoll_.get(), events, kEventsPerCall, 0);
  for (int i = 0; i < count; ++i) {
    const uint64_t id = events[i].data.u64;
    if ((id & kListener) != 0) {
      Accept(listeners_[id & ~kListener]);
      continue;
    }
    const auto found = pairs_.find(id);
    if (found == pairs_.end()) continue;  // by its other end, in this very call
    if (Step(*found->second)) {
      Watch(id, *found->second);
    } else {
      pairs_.erase(found);
    }
  }
  WatchListeners();
  return count <= 0;
}

void SidePort::Accept(const Fd& listener) {
  for (int i = 0; i < kAcceptsPerEvent && pairs_.size() < kPairsMax; ++i) {
    Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) return;
    Open(std::move(client));
  }
}

void SidePort::Open(Fd client) {
  absl::StatusOr<Fd> server = behind_.endpoint().Connect();
  if (!server.ok()) return;  // the client sees its end
  const uint64_t id = ++last_;
  std::unique_ptr<Pair>& pair = pairs_[id] = std::make_unique<Pair>();
  pair->client.fd = std::move(client);
  pair->server.fd = *std::move(server);
  Watch(id, *pair);
}

bool SidePort::Step(Pair& pair) {
  if (!Move(pair.client, pair.server) || !Move(pair.server, pair.client)) return false;
  return !pair.client.told || !pair.server.told;
}

void SidePort::Watch(uint64_t id, Pair& pair) {
  for (auto [end, other] : {std::pair(&pair.client, &pair.server), {&pair.server, &pair.client}}) {
    const uint32_t wanted = Wanted(*end, *other);
    if (wanted == end->watched) continue;
    epoll_event event = {};
    event.events = wanted;
    event.data.u64 = id;
    // An end without a wish is taken out: EPOLLHUP would be told of it over and over.
    const int operation = wanted == 0         ? EPOLL_CTL_DEL
                          : end->watched == 0 ? EPOLL_CTL_ADD
                                              : EPOLL_CTL_MOD;
    epoll_ctl(epoll_.get(), operation, end->fd.get(), &event);
    end->watched = wanted;
  }
}

}  // namespace uc::front
