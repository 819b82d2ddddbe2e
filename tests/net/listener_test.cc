#include "core/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::net {
namespace {

using testing::HasSubstr;

Address At(const std::string& host, int port = 0) {
  return Address::Parse(absl::StrCat(host, ":", port)).value();
}

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

// A connection that is there, or an empty Fd when none comes in time.
Fd Accept(const Fd& listener) {
  pollfd watch = {listener.get(), POLLIN, 0};
  if (poll(&watch, 1, 10'000) != 1) return Fd();
  return Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

Fd Connect(const Address& address) {
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.get(), address.get(), address.size()) == 0 ? std::move(fd) : Fd();
}

// A listener of somebody else's: without SO_REUSEPORT.
Fd ForeignListener(const Address& address) {
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(fd.get(), address.get(), address.size()), 0);
  EXPECT_EQ(listen(fd.get(), 1), 0);
  return fd;
}

// What `say` says in a child that may do no more than an ordinary user. Gives up capabilities and
// not user 0: in Bazel's sandbox there is no other user to become.
template <typename Say>
std::string SaidWithoutCapabilities(const Say& say) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2] = {};
    if (syscall(SYS_capset, &header, none) != 0) _exit(1);
    const std::string text = say();
    _exit(write(writer.get(), text.data(), text.size()) < 0);
  }
  writer.Reset();
  char text[4096];
  const ssize_t size = read(reader.get(), text, sizeof(text));
  waitpid(child, nullptr, 0);
  return size > 0 ? std::string(text, size) : "nothing";
}

class ListenerTest : public testing::Test {
 protected:
  Fd BindAt(const Address& address) {
    absl::StatusOr<Fd> fd = Bind(address, options_);
    EXPECT_TRUE(fd.ok()) << fd.status();
    return fd.ok() ? *std::move(fd) : Fd();
  }
  Fd ListenAt(const Address& address) {
    Fd fd = BindAt(address);
    EXPECT_TRUE(StartListening(fd, address, options_).ok());
    return fd;
  }
  int PortOf(const Fd& fd) { return LocalAddress(fd).value().port(); }
  // A connection that its server has closed first, so that its TIME_WAIT stays on the server's
  // port, with no listener left.
  Address LeaveTimeWait(Fd listener) {
    const Address address = *LocalAddress(listener);
    const Fd client = Connect(address);
    Accept(listener).Reset();
    char byte;
    EXPECT_EQ(read(client.get(), &byte, 1), 0);
    listener.Reset();
    const Fd plain(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_NE(bind(plain.get(), address.get(), address.size()), 0) << "no TIME_WAIT was made";
    return address;
  }
  void ExpectTaken(const Address& address) {
    const absl::Status status = ProbeFree(address);
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address.ToString()));
  }
  void ExpectFree(const Address& address) {
    const absl::Status status = ProbeFree(address);
    EXPECT_TRUE(status.ok()) << status;
  }

  ListenOptions options_;
};

TEST_F(ListenerTest, ConnectsOnceItListens) {
  const Fd fd = BindAt(At("127.0.0.1"));
  const Address address = *LocalAddress(fd);
  EXPECT_FALSE(Connect(address).valid());
  EXPECT_TRUE(StartListening(fd, address, options_).ok());
  EXPECT_TRUE(Connect(address).valid());
}

TEST_F(ListenerTest, PortZeroIsResolved) {
  const Fd fd = BindAt(At("127.0.0.1"));
  EXPECT_NE(PortOf(fd), 0);
  EXPECT_EQ(LocalAddress(fd)->ToString(), absl::StrCat("127.0.0.1:", PortOf(fd)));
}

TEST_F(ListenerTest, SecondBindOnTheSameAddressWorks) {
  const Fd first = ListenAt(At("127.0.0.1"));
  const Fd second = ListenAt(*LocalAddress(first));
  EXPECT_EQ(PortOf(first), PortOf(second));
}

TEST_F(ListenerTest, ListeningAgainRenewsOnlyTheBacklog) {
  const Fd fd = ListenAt(At("127.0.0.1"));
  const Fd client = Connect(*LocalAddress(fd));
  EXPECT_TRUE(StartListening(fd, *LocalAddress(fd), options_).ok());
  EXPECT_TRUE(Accept(fd).valid());
}

TEST_F(ListenerTest, SocketIsNonBlockingAndClosesOnExec) {
  const Fd fd = BindAt(At("127.0.0.1"));
  EXPECT_TRUE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(ListenerTest, AcceptedSocketsInheritNoDelay) {
  const Fd fd = ListenAt(At("127.0.0.1"));
  const Fd client = Connect(*LocalAddress(fd));
  const Fd accepted = Accept(fd);
  ASSERT_TRUE(accepted.valid());
  EXPECT_NE(Option(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 0);
}

TEST_F(ListenerTest, DeferAcceptIsSetWhenTheTrafficStartsAndNotUnderItsFeet) {
  const Fd first = ListenAt(At("127.0.0.1"));
  EXPECT_EQ(Option(first.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  options_.defer_accept_seconds = 5;
  const Fd second = BindAt(At("127.0.0.1"));
  EXPECT_EQ(Option(second.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  ASSERT_TRUE(StartListening(second, At("127.0.0.1"), options_).ok());
  EXPECT_GE(Option(second.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 5);
  ASSERT_TRUE(StartListening(first, At("127.0.0.1"), options_).ok());
  EXPECT_EQ(Option(first.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}

TEST_F(ListenerTest, AcceptedSocketsInheritWhatTheKernelMayKeepUnsent) {
  options_.unsent_bytes_max = 65536;
  const Fd fd = ListenAt(At("127.0.0.1"));
  const Fd client = Connect(*LocalAddress(fd));
  const Fd accepted = Accept(fd);
  ASSERT_TRUE(accepted.valid());
  EXPECT_EQ(Option(accepted.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT), 65536);
}

TEST_F(ListenerTest, WhatNoSocketCanHaveIsSaidOnceAndWithTheCure) {
  const auto text = [&](const char* address) {
    return std::string(ProbeFree(*Address::Parse(address)).message());
  };
  EXPECT_EQ(
      text("[::ffff:127.0.0.1]:0"),
      "cannot listen on [::ffff:127.0.0.1]:0: an IPv4 address in the form of IPv6; write it as "
      "1.2.3.4:80");
  EXPECT_EQ(text("[fe80::1]:0"),
            "cannot listen on [fe80::1]:0: a link-local address needs its interface, as in "
            "[fe80::1%eth0]:80");
  EXPECT_EQ(text("[fe80::1%4000000]:0"),
            "cannot listen on [fe80::1%4000000]:0: this machine has no interface with that number");
}

TEST_F(ListenerTest, PeerIsTheClient) {
  const Fd fd = ListenAt(At("127.0.0.1"));
  const Fd client = Connect(*LocalAddress(fd));
  const Fd accepted = Accept(fd);
  EXPECT_EQ(*PeerAddress(accepted.get()), *LocalAddress(client));
  EXPECT_FALSE(PeerAddress(fd.get()).ok());
}

TEST_F(ListenerTest, ForeignListenerIsNotSharedWith) {
  const Fd foreign = ForeignListener(At("127.0.0.1"));
  const absl::Status status = Bind(*LocalAddress(foreign), options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr(LocalAddress(foreign)->ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use"));
}

TEST_F(ListenerTest, AddressOfNoInterfaceIsSaid) {
  for (const absl::Status& status :
       {Bind(At("192.0.2.1"), options_).status(), ProbeFree(At("192.0.2.1", 8080))}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("192.0.2.1"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("no interface"));
  }
}

TEST_F(ListenerTest, Ipv6StandsBesideIpv4OnOnePort) {
  const absl::StatusOr<Fd> six = Bind(At("[::]"), options_);
  if (!six.ok()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_NE(Option(six->get(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_TRUE(StartListening(*six, At("[::]"), options_).ok());
  const Fd four = ListenAt(At("0.0.0.0", PortOf(*six)));
  EXPECT_TRUE(Connect(At("[::1]", PortOf(*six))).valid());
  EXPECT_TRUE(Connect(At("127.0.0.1", PortOf(*six))).valid());
}

TEST_F(ListenerTest, ProbeLeavesNothingBehind) {
  const Address address = *LocalAddress(BindAt(At("127.0.0.1")));
  ExpectFree(address);
  ExpectFree(address);
  EXPECT_TRUE(ForeignListener(address).valid());
}

TEST_F(ListenerTest, PortZeroIsAlwaysFree) {
  const Fd listener = ListenAt(At("127.0.0.1"));
  ExpectFree(At("127.0.0.1"));
  ExpectFree(At("0.0.0.0"));
}

TEST_F(ListenerTest, ProbeSeesAListenerOfOurs) {
  const Fd listener = ListenAt(At("127.0.0.1"));
  ExpectTaken(*LocalAddress(listener));
}

TEST_F(ListenerTest, ProbeSeesAForeignListener) {
  const Fd foreign = ForeignListener(At("127.0.0.1"));
  ExpectTaken(*LocalAddress(foreign));
}

// Another cluster that starts at the same time.
TEST_F(ListenerTest, ProbeSeesASocketOfOursThatDoesNotListenYet) {
  const Fd bound = BindAt(At("127.0.0.1"));
  ExpectTaken(*LocalAddress(bound));
  ExpectTaken(At("0.0.0.0", PortOf(bound)));
}

TEST_F(ListenerTest, ProbeSeesAClaimBesideListeners) {
  const Fd claim = BindAt(At("127.0.0.1"));
  Fd listener = ListenAt(*LocalAddress(claim));
  ExpectTaken(*LocalAddress(claim));
  listener.Reset();
  ExpectTaken(*LocalAddress(claim));
}

TEST_F(ListenerTest, SocketsOfOursGoOnSharingWhenAllThatListenAreGone) {
  const Fd claim = BindAt(At("127.0.0.1"));
  for (int time = 0; time < 3; ++time) {
    const Fd listener = ListenAt(*LocalAddress(claim));
    EXPECT_TRUE(Connect(*LocalAddress(listener)).valid());
  }
}

TEST_F(ListenerTest, ProbeSeesAForeignSocketThatDoesNotListenYet) {
  const Fd foreign(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address any = At("127.0.0.1");
  ASSERT_EQ(bind(foreign.get(), any.get(), any.size()), 0);
  ExpectTaken(*LocalAddress(foreign));
}

TEST_F(ListenerTest, ProbeOfAllInterfacesSeesAListenerOnOne) {
  const Fd listener = ListenAt(At("127.0.0.1"));
  ExpectTaken(At("0.0.0.0", PortOf(listener)));
}

TEST_F(ListenerTest, ProbeOfOneInterfaceSeesAListenerOnAll) {
  const Fd listener = ListenAt(At("0.0.0.0"));
  ExpectTaken(At("127.0.0.1", PortOf(listener)));
}

TEST_F(ListenerTest, ProbeOfAnotherInterfaceIsFree) {
  const Fd listener = ListenAt(At("127.0.0.1"));
  ExpectFree(At("127.0.0.2", PortOf(listener)));
}

TEST_F(ListenerTest, ProbePassesTimeWait) {
  const Address address = LeaveTimeWait(ListenAt(At("127.0.0.1")));
  ExpectFree(address);
  EXPECT_TRUE(ListenAt(address).valid());
}

// Of a server without SO_REUSEPORT.
TEST_F(ListenerTest, ProbeAndBindPassForeignTimeWait) {
  Fd foreign(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(foreign.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const Address any = At("127.0.0.1");
  ASSERT_EQ(bind(foreign.get(), any.get(), any.size()), 0);
  ASSERT_EQ(listen(foreign.get(), 1), 0);
  const Address address = LeaveTimeWait(std::move(foreign));
  ExpectFree(address);
  const Fd claim = BindAt(address);
  ExpectTaken(address);
  EXPECT_TRUE(ListenAt(address).valid());
}

TEST_F(ListenerTest, ForeignListenerThatSetsBothReuseOptionsIsSeen) {
  Fd foreign(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(foreign.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(foreign.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  const Address any = At("127.0.0.1");
  ASSERT_EQ(bind(foreign.get(), any.get(), any.size()), 0);
  ASSERT_EQ(listen(foreign.get(), 1), 0);
  ExpectTaken(*LocalAddress(foreign));
  ExpectTaken(At("0.0.0.0", PortOf(foreign)));
}

TEST_F(ListenerTest, ProbeSeesAForeignListenerOfBothFamilies) {
  const Fd both(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  setsockopt(both.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  const Address any = At("[::]");
  if (bind(both.get(), any.get(), any.size()) != 0) GTEST_SKIP() << "no IPv6 here";
  ASSERT_EQ(listen(both.get(), 1), 0);
  for (const char* host : {"[::]", "[::1]", "0.0.0.0", "127.0.0.1"}) {
    ExpectTaken(At(host, PortOf(both)));
  }
}

TEST_F(ListenerTest, ProbeOfIpv4IsFreeBesideAnIpv6ListenerOfOurs) {
  const absl::StatusOr<Fd> six = Bind(At("[::]"), options_);
  if (!six.ok()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_TRUE(StartListening(*six, At("[::]"), options_).ok());
  ExpectFree(At("0.0.0.0", PortOf(*six)));
  ExpectFree(At("127.0.0.1", PortOf(*six)));
  ExpectTaken(At("[::1]", PortOf(*six)));
}

TEST_F(ListenerTest, ProbeSeesEstablishedConnectionsOnlyThroughTheirListener) {
  Fd listener = ListenAt(At("127.0.0.1"));
  const Address address = *LocalAddress(listener);
  const Fd client = Connect(address);
  const Fd accepted = Accept(listener);
  listener.Reset();
  ExpectFree(address);
}

TEST_F(ListenerTest, PrivilegedPortNamesTheCapability) {
  int first_free = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_free;
  if (first_free < 80) GTEST_SKIP() << "no port is privileged here";
  const std::string said = SaidWithoutCapabilities([this] {
    const Address address = At("127.0.0.1", 79);
    return absl::StrCat(ProbeFree(address).ToString(), Bind(address, options_).status().ToString());
  });
  EXPECT_THAT(said, testing::ContainsRegex("CAP_NET_BIND_SERVICE.*CAP_NET_BIND_SERVICE"));
  EXPECT_THAT(said, HasSubstr("127.0.0.1:79"));
}

TEST_F(ListenerTest, NoDescriptorsLeftIsSaid) {
  const pid_t child = fork();
  if (child == 0) {
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) continue;
    const absl::Status status = Bind(At("127.0.0.1"), options_).status();
    _exit(status.code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace uc::net
