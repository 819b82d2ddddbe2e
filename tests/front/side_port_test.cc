// A port of a program that was taken for its site: real sockets, and the program and its clients played by the test.
#include "core/front/side_port.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/net/listener.h"
#include "gtest/gtest.h"
#include "tests/front/upstream.h"

namespace uc::front {
namespace {

class SidePortTest : public testing::Test {
 protected:
  SidePortTest() {
    listener_ = net::Bind(net::Address::Parse("127.0.0.1:0").value(), {}).value();
    address_ = net::LocalAddress(listener_).value();
    PrivateListener behind = PrivateListener::Make(address_).value();
    program_ = Fd(dup(behind.fd()));  // as the program has it
    std::vector<Fd> listeners;
    listeners.push_back(listener_.Duplicate());
    port_.emplace(std::move(behind), std::move(listeners));
  }

  void ProgramListens() {
    ASSERT_EQ(listen(program_.get(), 4096), 0);
    port_->Review();
  }
  // Not connected: nobody listens.
  Fd Connect() const {
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), address_.get(), address_.size()) != 0) fd.Reset();
    return fd;
  }
  // What the program accepts; nothing may be there yet.
  Fd Accept() const {
    pollfd watched = {program_.get(), POLLIN, 0};
    if (poll(&watched, 1, 0) != 1) return Fd();
    return Fd(accept4(program_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  // The port works until there is nothing to do for it.
  void Work() {
    while (!port_->OnReadable()) {
    }
  }
  // Works until the program has a connection.
  Fd Accepted() {
    for (;;) {
      pollfd watched = {port_->fd(), POLLIN, 0};
      poll(&watched, 1, 10'000);
      port_->OnReadable();
      if (Fd fd = Accept(); fd.valid()) return fd;
      if ((watched.revents & POLLIN) == 0) return Fd();
    }
  }
  // All of `bytes` gets from one to the other, whatever one of them takes at a time; then the end does.
  std::string Pass(const Fd& from, const std::string& bytes, const Fd& to) {
    std::string heard;
    size_t sent = 0;
    bool ended = false;
    for (;;) {
      if (sent < bytes.size()) {
        const ssize_t size =
            send(from.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0) sent += static_cast<size_t>(size);
      } else if (!std::exchange(ended, true)) {
        shutdown(from.get(), SHUT_WR);
      }
      port_->OnReadable();
      char piece[4096];
      const ssize_t size = recv(to.get(), piece, sizeof(piece), MSG_DONTWAIT);
      if (size == 0) return heard;
      if (size > 0) heard.append(piece, static_cast<size_t>(size));
      if (size < 0 && errno != EAGAIN) return heard + " and an error";
    }
  }

  Fd listener_;
  Fd program_;
  net::Address address_;
  std::optional<SidePort> port_;
};

TEST_F(SidePortTest, NobodyIsLetInBeforeTheProgramListens) {
  EXPECT_FALSE(Connect().valid());
  ProgramListens();
  EXPECT_TRUE(Connect().valid());
}

TEST_F(SidePortTest, BytesAndEndsPassBothWays) {
  ProgramListens();
  const Fd client = Connect();
  const Fd server = Accepted();
  ASSERT_TRUE(server.valid());
  std::string large(3 << 20, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 26);
  EXPECT_EQ(Pass(client, large, server), large);
  EXPECT_EQ(port_->pairs(), 1u) << "half of it is open";
  std::reverse(large.begin(), large.end());
  EXPECT_EQ(Pass(server, large, client), large);
  EXPECT_EQ(port_->pairs(), 0u);
}

TEST_F(SidePortTest, AnEndThatVanishesTakesTheOtherAlong) {
  ProgramListens();
  Fd client = Connect();
  const Fd server = Accepted();
  const linger reset = {1, 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  client.Reset();
  Work();
  EXPECT_EQ(port_->pairs(), 0u);
  char byte;
  EXPECT_LE(recv(server.get(), &byte, 1, 0), 0);
}

TEST_F(SidePortTest, AClientOfAProgramThatHasEndedSeesItsEnd) {
  ProgramListens();
  shutdown(program_.get(), SHUT_RDWR);
  const Fd client = Connect();
  Work();
  char byte;
  EXPECT_LE(recv(client.get(), &byte, 1, 0), 0);
}

TEST_F(SidePortTest, TooManyWaitForTheirTurn) {
  ProgramListens();
  std::vector<Fd> clients;
  for (size_t i = 0; i < SidePort::kPairsMax + 3; ++i) {
    clients.push_back(Connect());
    Work();
  }
  EXPECT_EQ(port_->pairs(), SidePort::kPairsMax);
  // Those that go first make room.
  while (clients.size() > 3) clients.erase(clients.begin());
  for (Fd server = Accept(); server.valid(); server = Accept()) {
    server.Reset();
    Work();
  }
  char byte;
  for (const Fd& client : clients) {
    EXPECT_EQ(recv(client.get(), &byte, 1, 0), 0) << "served, and ended by the program";
  }
}

}  // namespace
}  // namespace uc::front
