// The preload library inside a real program, and the launcher's end of it: ListenDoor and SlotListeners. The slot's
// listener is seen from both sides.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/exec/child.h"
#include "core/exec/listen_door.h"
#include "core/exec/preload_file.h"
#include "core/exec/slot_listeners.h"
#include "core/net/listener.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// One slot: its door, its listeners and a coordinator that grants every claim.
class Slot {
 public:
  explicit Slot(std::vector<net::Address> cluster = {}, std::vector<Fd> own = {},
                uint16_t port_least = 0) {
    const std::string name = absl::StrCat("@uc-preload-test-", getpid(), "-", MonotonicNanos());
    door_.emplace(*ListenDoor::Open(
        name,
        {.may_bind = [this](AskerId id,
                            const Wish& wish) { listeners_->MayBind(*door_, id, wish); },
         .may_listen = [this](AskerId id, const Wish& wish,
                              Fd fd) { listeners_->MayListen(*door_, id, wish, std::move(fd)); },
         .listening = [this](AskerId, const net::Address&) { ++listening; }}));
    listeners_.emplace(
        std::move(cluster), std::move(own),
        SlotListeners::Outward{.claim =
                                   [this](const link::Claim& claim) {
                                     claims.push_back(claim);
                                     if (refuse_with == 0) return false;  // as without one
                                     refused_.push_back(claim.id);
                                     return true;
                                   },
                               .bound = [this](int fd) { kept.push_back(Fd(dup(fd))); }},
        port_least);
  }

  // Serves the door for one turn.
  void Turn(int extra = -1) {
    std::vector<pollfd> watched;
    for (const int fd : door_->descriptors()) watched.push_back({fd, POLLIN, 0});
    watched.push_back({extra, POLLIN, 0});
    poll(watched.data(), watched.size(), 50);
    for (size_t i = 0; i + 1 < watched.size(); ++i) {
      if (watched[i].revents != 0) door_->OnReadable(watched[i].fd);
    }
    for (const uint32_t id : std::exchange(refused_, {})) {
      listeners_->Claimed(*door_, {id, static_cast<uint32_t>(refuse_with), "refused by the test"});
    }
  }

  void Until(const std::function<bool()>& condition) {
    const absl::Time until = MonotonicNow() + kPatience;
    while (!condition() && MonotonicNow() < until) Turn();
    EXPECT_TRUE(condition());
  }

  ListenDoor& door() { return *door_; }
  SlotListeners& listeners() { return *listeners_; }

  int listening = 0;
  int refuse_with = 0;
  std::vector<link::Claim> claims;
  std::vector<Fd> kept;

 private:
  std::vector<uint32_t> refused_;
  std::optional<SlotListeners> listeners_;
  std::optional<ListenDoor> door_;
};

// The fixture program with the library in it.
class Server {
 public:
  Server(Slot& slot, const std::string& words) : slot_(slot) {
    int out[2], in[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    output_.Reset(out[0]);
    input_.Reset(in[1]);
    const Fd stdout_of_it(out[1]), stdin_of_it(in[0]);
    const Fd before_out(dup(STDOUT_FILENO)), before_in(dup(STDIN_FILENO));
    dup2(stdout_of_it.get(), STDOUT_FILENO);
    dup2(stdin_of_it.get(), STDIN_FILENO);
    ChildOptions options;
    options.program.argv = {getenv("UC_SERVER")};
    for (const absl::string_view word : absl::StrSplit(words, ' ')) {
      options.program.argv.emplace_back(word);
    }
    options.environment = {absl::StrCat("LD_PRELOAD=", *PlacePreload()),
                           absl::StrCat(kDoorVariable, "=", slot.door().address())};
    child_.emplace(*Child::Start(options));
    dup2(before_out.get(), STDOUT_FILENO);
    dup2(before_in.get(), STDIN_FILENO);
  }
  ~Server() {
    child_->KillGroup();
    pollfd watch = {child_->fd(), POLLIN, 0};
    poll(&watch, 1, 10'000);
    child_->Reap();
  }

  // The next line that begins like that, while the door is served.
  std::string Await(const std::string& begin) {
    const absl::Time until = MonotonicNow() + kPatience;
    while (MonotonicNow() < until) {
      const size_t end = said_.find('\n');
      if (end != std::string::npos) {
        const std::string line = said_.substr(0, end);
        said_.erase(0, end + 1);
        if (absl::StartsWith(line, begin)) return line;
        ADD_FAILURE() << "unexpected: " << line;
        return line;
      }
      slot_.Turn(output_.get());
      char buffer[256];
      const ssize_t size = read(output_.get(), buffer, sizeof(buffer));
      if (size > 0) said_.append(buffer, static_cast<size_t>(size));
      if (size == 0) break;
    }
    ADD_FAILURE() << "it did not say '" << begin << "'";
    return "";
  }
  int AwaitPort() {
    const std::string line = Await("listens ");
    return line.empty() ? 0 : atoi(line.c_str() + 8);
  }
  // Nothing is said for a while, though the door is served.
  bool Silent() {
    const absl::Time until = MonotonicNow() + absl::Milliseconds(200);
    while (MonotonicNow() < until) {
      slot_.Turn(output_.get());
      char buffer[256];
      if (read(output_.get(), buffer, sizeof(buffer)) > 0) return false;
    }
    return true;
  }

 private:
  Slot& slot_;
  Fd output_, input_;
  std::string said_;
  std::optional<Child> child_;
};

Fd Connect(int port, const char* host = "127.0.0.1") {
  const net::Address address = *net::Address::Parse(absl::StrCat(host, ":", port));
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.get(), address.size()), 0) << strerror(errno);
  return fd;
}

class PreloadTest : public testing::TestWithParam<const char*> {};

TEST_P(PreloadTest, ProgramServesOnASocketThatOutlivesIt) {
  Slot slot;
  int port = 0;
  {
    Server server(slot, GetParam());
    port = server.AwaitPort();
    const char* const host = absl::StrContains(GetParam(), "ipv6") ? "[::1]" : "127.0.0.1";
    for (int i = 0; i < 3; ++i) {
      const Fd client = Connect(port, host);
      server.Await("took one");
    }
  }
  ASSERT_EQ(slot.kept.size(), 1u);
  EXPECT_EQ(net::LocalAddress(slot.kept[0])->port(), port);
  const char* const host = absl::StrContains(GetParam(), "ipv6") ? "[::1]" : "127.0.0.1";
  const Fd waiting = Connect(port, host);  // nobody is there: its successor answers
  std::string words = GetParam();
  words.replace(0, 1, std::to_string(port));
  Server successor(slot, words);
  EXPECT_EQ(successor.AwaitPort(), port);
  successor.Await("took one");
  EXPECT_EQ(slot.kept.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Ways, PreloadTest,
                         testing::Values("0 poll", "0 select", "0 epoll", "0 blocking",
                                         "0 epoll nonblocking", "0 poll nonblocking reuseaddr",
                                         "0 epoll reuseport reuseaddr", "0 poll ipv6",
                                         "0 epoll twice", "0 epoll dup", "0 poll fork",
                                         "0 epoll fork", "0 blocking fork"));

class PreloadOrderTest : public testing::TestWithParam<const char*> {};

TEST_P(PreloadOrderTest, ClosedItTakesNothingAndOpenItTakesWhatHasWaited) {
  Slot slot;
  slot.door().Close();
  Server server(slot, GetParam());
  const int port = server.AwaitPort();
  const Fd waiting = Connect(port);
  EXPECT_TRUE(server.Silent());
  slot.door().Admit();
  server.Await("took one");
  slot.door().Close();
  slot.Until([&] { return slot.door().Connections().has_value(); });
  const Fd later = Connect(port);
  EXPECT_TRUE(server.Silent());
  slot.door().Admit();
  server.Await("took one");
}

TEST_P(PreloadOrderTest, StandsInForAnotherSlotUntilItIsReleased) {
  Slot slot;
  Server server(slot, GetParam());
  const int port = server.AwaitPort();
  const net::Address address = *net::Address::Parse(absl::StrCat("127.0.0.1:", port));
  Fd others = *net::Bind(address, {});
  ASSERT_TRUE(net::StartListening(others, address, {}).ok());
  const Fd held = others.Duplicate();
  slot.door().Adopt(7, address, std::move(others));
  // Whichever of the two sockets the kernel chooses: all are taken.
  for (int i = 0; i < 12; ++i) {
    const Fd client = Connect(port);
    server.Await("took one");
  }
  slot.door().Release(7);
  // From now on nobody takes what comes to the other socket.
  int untaken = 0;
  std::vector<Fd> clients;
  for (int i = 0; i < 64 && untaken == 0; ++i) {
    clients.push_back(Connect(port));
    pollfd other = {held.get(), POLLIN, 0};
    untaken = poll(&other, 1, 0);
    if (untaken == 0) server.Await("took one");
  }
  EXPECT_EQ(untaken, 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, PreloadOrderTest,
                         testing::Values("0 poll", "0 select", "0 epoll", "0 blocking",
                                         "0 epoll fork", "0 blocking fork"));

TEST(PreloadClusterTest, ListenOfTheClusterIsPutUnderneathWhateverThePortIs) {
  const net::Address any = *net::Address::Parse("127.0.0.1:0");
  std::vector<Fd> own;
  own.push_back(*net::Bind(any, {}));
  const net::Address address = *net::LocalAddress(own[0]);
  Slot slot({address}, std::move(own));
  Server server(slot, "1 epoll");  // a privileged port: it will not be asked for
  EXPECT_EQ(server.AwaitPort(), address.port());
  const Fd client = Connect(address.port());
  server.Await("took one");
  EXPECT_TRUE(slot.claims.empty());
}

TEST(PreloadClusterTest, ClosedAndOpenedAgainItIsTheSameListener) {
  const net::Address any = *net::Address::Parse("127.0.0.1:0");
  std::vector<Fd> own;
  own.push_back(*net::Bind(any, {}));
  const net::Address address = *net::LocalAddress(own[0]);
  Slot slot({address}, std::move(own));
  Server server(slot, "4000 epoll again");
  EXPECT_EQ(server.AwaitPort(), address.port());
  const Fd client = Connect(address.port());
  server.Await("took one");
}

TEST(PreloadClusterTest, ConnectionsAreCounted) {
  Slot slot;
  Server server(slot, "0 epoll");
  const int port = server.AwaitPort();
  for (int i = 0; i < 3; ++i) {
    const Fd client = Connect(port);
    server.Await("took one");
  }
  slot.Until([&] { return slot.door().Total().closes == 3; });
  EXPECT_EQ(slot.door().Total().accepts, 3u);
  EXPECT_GT(slot.door().Total().turns, 0u);
}

// --- Errors ---

TEST(PreloadErrorTest, PrivilegedPortIsNotClaimedForAProgramOfAnotherUser) {
  Slot slot({}, {}, 1024);
  Server server(slot, "900 epoll");
  EXPECT_THAT(server.Await("listen: "), testing::HasSubstr("Permission denied"));
  EXPECT_THAT(slot.listeners().refusal(), testing::HasSubstr("--listen=127.0.0.1:900"));
  EXPECT_TRUE(slot.claims.empty());
}

TEST(PreloadErrorTest, AddressThatIsRefusedFailsAsItDoesWithoutUs) {
  Slot slot;
  slot.refuse_with = EADDRINUSE;
  Server server(slot, "4001 epoll");
  EXPECT_THAT(server.Await("listen: "), testing::HasSubstr("Address already in use"));
  EXPECT_EQ(slot.listeners().refusal(), "refused by the test");
}

}  // namespace
}  // namespace uc::exec
